//! What a tree costs in memory.

use std::collections::BTreeMap;

use super::{Kind, Node, Tree};

impl Tree {
    /// Bytes of all names, link targets and extended attributes.
    pub fn metadata_len(&self) -> u64 {
        self.nodes.iter().map(|node| node_len(node) as u64).sum()
    }
}

fn node_len(node: &Node) -> usize {
    let text = match &node.kind {
        Kind::Directory { children, .. } => children.keys().map(Vec::len).sum(),
        Kind::Symlink(target) | Kind::LinkBelow(target) => target.len(),
        _ => 0,
    };
    text + len(&node.meta.xattrs)
}

fn len(xattrs: &BTreeMap<Vec<u8>, Vec<u8>>) -> usize {
    xattrs.iter().map(|(name, value)| name.len() + value.len()).sum()
}
