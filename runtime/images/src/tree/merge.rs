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
        // Not all nodes: what a later entry of the layer took the place of asks for nothing.
        let mut pending = vec![Tree::ROOT];
        while let Some(id) = pending.pop() {
            let path = match &layer.node(id).kind {
                Kind::Directory { children, .. } => {
                    pending.extend(children.values());
                    continue;
                }
                Kind::LinkBelow(path) if !found.contains_key(&id) => path,
                _ => continue,
            };
            let target = self.file_at(path).map_err(|source| TreeError::Entry {
                entry: layer.name_of(id),
                source: Box::new(source),
            })?;
            found.insert(id, target);
        }
        Ok(found)
    }

    /// What a hard link to this path is another name of.
    fn file_at(&self, path: &[u8]) -> Result<NodeId, TreeError> {
        let target = self.find(&relative(path))?;
        let target = target.ok_or_else(|| TreeError::NoLinkTarget(path.to_vec()))?;
        match self.node(target).children() {
            Some(_) => Err(TreeError::LinkToDirectory(path.to_vec())),
            None => Ok(target),
        }
    }

    /// One of a node's names, for a message.
    fn name_of(&self, node: NodeId) -> Vec<u8> {
        let mut parents = HashMap::new();
        for (index, parent) in self.nodes.iter().enumerate() {
            for (name, &child) in parent.children().into_iter().flatten() {
                parents.insert(child, (name.as_slice(), NodeId(index as u32)));
            }
        }
        let mut parts = Vec::new();
        let mut here = node;
        while let Some(&(name, parent)) = parents.get(&here) {
            parts.push(name);
            here = parent;
        }
        parts.reverse();
        parts.join(&b'/')
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
