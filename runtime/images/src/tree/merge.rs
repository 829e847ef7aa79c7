//! Laying one layer over another, as overlayfs would at run time; done once, on the host.
//!
//! OCI image specification, "Image Layer Filesystem Changeset": a whiteout hides a name of the layers
//! below, an opaque directory hides all of them, and neither touches the layer that it is in.

use std::collections::HashMap;

use super::{Kind, Node, NodeId, Tree, TreeError, relative};

impl Tree {
    /// Lay `layer` over this tree. A directory over a directory is merged and gives its own owner, mode, times
    /// and attributes; anything else over anything replaces it.
    pub fn lay_over(&mut self, layer: &Tree, number: u32) -> Result<(), TreeError> {
        let below = self.links_below(layer)?;
        let mut placed: HashMap<NodeId, NodeId> = below;
        let mut pending = vec![(Tree::ROOT, Tree::ROOT)];
        while let Some((from, to)) = pending.pop() {
            let upper = layer.node(from);
            let Kind::Directory { children, opaque, implied } = &upper.kind else { continue };
            self.meet_directory(to, upper, *opaque, *implied);
            for (name, &child) in children {
                match &layer.node(child).kind {
                    Kind::Whiteout => self.unlink(to, name),
                    Kind::Directory { .. } => {
                        pending.push((child, self.directory_under(to, name)?));
                    }
                    kind => {
                        let id = match placed.get(&child) {
                            Some(&id) => id,
                            None => {
                                let meta = layer.node(child).meta.clone();
                                self.add(Node { meta, kind: in_layer(kind, number) })?
                            }
                        };
                        placed.insert(child, id);
                        self.link(to, name, id);
                    }
                }
            }
        }
        Ok(())
    }

    /// The files that `layer` names from below, found before anything of it covers them.
    fn links_below(&self, layer: &Tree) -> Result<HashMap<NodeId, NodeId>, TreeError> {
        let mut found = HashMap::new();
        for (index, node) in layer.nodes.iter().enumerate() {
            let Kind::LinkBelow(path) = &node.kind else { continue };
            let target = self.find(&relative(path))?;
            let target = target.ok_or_else(|| TreeError::NoLinkTarget(path.clone()))?;
            if self.node(target).children().is_some() {
                return Err(TreeError::LinkToDirectory(path.clone()));
            }
            found.insert(NodeId(index as u32), target);
        }
        Ok(found)
    }

    fn meet_directory(&mut self, to: NodeId, upper: &Node, hides: bool, unsaid: bool) {
        let lower = self.node_mut(to);
        if !unsaid {
            lower.meta = upper.meta.clone();
        }
        if let Kind::Directory { children, implied, .. } = &mut lower.kind {
            *implied &= unsaid;
            if hides {
                children.clear();
            }
        }
    }

    /// Take `name` out of the directory.
    fn unlink(&mut self, directory: NodeId, name: &[u8]) {
        if let Kind::Directory { children, .. } = &mut self.node_mut(directory).kind {
            children.remove(name);
        }
    }

    /// The directory called `name`, made if there is none (or something else) under that name.
    fn directory_under(&mut self, parent: NodeId, name: &[u8]) -> Result<NodeId, TreeError> {
        if let Some(id) = self.child(parent, name)
            && self.node(id).children().is_some()
        {
            return Ok(id);
        }
        let id = self.add(Node::implied_directory())?;
        self.link(parent, name, id);
        Ok(id)
    }
}

/// A file's data belongs to the layer that brings it.
fn in_layer(kind: &Kind, number: u32) -> Kind {
    match kind {
        Kind::File(extent) => Kind::File(super::Extent { layer: number, ..*extent }),
        other => other.clone(),
    }
}
