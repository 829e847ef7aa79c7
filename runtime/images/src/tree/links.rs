//! Hard links: more names for a node.

use super::{Kind, Meta, Node, NodeId, Tree, TreeError};

impl Tree {
    /// A hard link: `path` becomes another name of `target`, here or, if it is not here, in a lower layer; the node of both.
    pub fn hard_link(&mut self, path: &[&[u8]], target: &[&[u8]]) -> Result<NodeId, TreeError> {
        let joined = target.join(&b'/');
        let node = match self.find(target)? {
            Some(id) if self.node(id).children().is_some() => {
                return Err(TreeError::LinkToDirectory(joined));
            }
            Some(id) if self.node(id).kind != Kind::Whiteout => id,
            _ => self.add(Node { meta: Meta::default(), kind: Kind::LinkBelow(joined) })?,
        };
        self.name(path, node)?;
        Ok(node)
    }

    /// What a layer says of a link goes for all names of what is here: the last one who writes an inode decides (go-archive
    /// `createTarFile`). Attributes stay beside the new ones, and a symbolic link keeps its time.
    pub fn restate(&mut self, id: NodeId, meta: Meta) {
        let Node { meta: said, kind } = self.node_mut(id);
        match kind {
            // The lower layer's stays as it is.
            Kind::LinkBelow(_) => return,
            Kind::Symlink(_) => {}
            _ => (said.mode, said.mtime) = (meta.mode, meta.mtime),
        }
        (said.uid, said.gid) = (meta.uid, meta.gid);
        said.xattrs.extend(meta.xattrs);
    }

    /// Give the node one more name.
    pub fn name(&mut self, path: &[&[u8]], node: NodeId) -> Result<(), TreeError> {
        let Some((name, parents)) = path.split_last() else {
            return Err(TreeError::NotADirectory(b"/".to_vec()));
        };
        let directory = self.make_directories(parents)?;
        self.link(directory, name, node);
        Ok(())
    }
}
