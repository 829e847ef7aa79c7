//! A file system tree in memory, without its file data: what a layer says, and what layers add up to.
//!
//! Nothing of an image is ever written to the host by its name. A layer's entries go into this tree, where
//! a symbolic link or a `..` can lead nowhere but to another node, and the tree goes into an EROFS image.

mod links;
mod merge;
mod name;
mod resolve;
mod size;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

pub(crate) use name::relative;
pub use name::{NameError, components};
use thiserror::Error;

use crate::limits;
use crate::tar::Time;
use host::text::printable;

/// What every inode has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    /// Permission bits (07777).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change.
    pub mtime: Time,
    /// Extended attributes by full name.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Where a file's data is: in the blob of the layer with this number, at this page-aligned offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The layer, counted from the lowest; 0 while a layer stands alone.
    pub layer: u32,
    /// Byte offset in the blob.
    pub offset: u64,
    /// Length of the file.
    pub size: u64,
}

/// What an inode is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory {
        /// Its entries, sorted.
        children: BTreeMap<Vec<u8>, NodeId>,
        /// It hides what lower layers have under its name.
        opaque: bool,
        /// It has no entry of its own: a path goes through it, so it has to be there.
        implied: bool,
    },
    /// A regular file.
    File(Extent),
    /// A symbolic link and its target.
    Symlink(Vec<u8>),
    /// A character device, major and minor number.
    Character(u32, u32),
    /// A block device, major and minor number.
    Block(u32, u32),
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// In a layer: what lower layers have under this name is gone.
    Whiteout,
    /// In a layer: another name for a file of a lower layer.
    LinkBelow(Vec<u8>),
}

/// An inode. Two names for one node are a hard link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Owner, mode and so on.
    pub meta: Meta,
    /// What it is.
    pub kind: Kind,
}

/// A node's place in its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u32);

/// Why an entry does not fit into a tree.
#[derive(Debug, Error, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TreeError {
    #[error("'{}' is not a directory", printable(.0))]
    NotADirectory(Vec<u8>),
    #[error("too many symbolic links on the way (limit {limit})", limit = limits::SYMLINKS)]
    TooManySymlinks,
    #[error("it is a hard link to '{}', which does not exist", printable(.0))]
    NoLinkTarget(Vec<u8>),
    #[error("it is a hard link to '{}', which is a directory", printable(.0))]
    LinkToDirectory(Vec<u8>),
    #[error("its links lead to a name of {0} bytes; the limit is {limit}", limit = limits::NAME)]
    LongName(usize),
    #[error("its links lead more than {limit} folders deep", limit = limits::DEPTH)]
    TooDeep,
    #[error(
        "there are more than {0} entries, with the folders that names go through; set BULKHEAD_MAX_LAYER_ENTRIES to allow more"
    )]
    Full(u64),
    #[error("entry '{}'", printable(.entry))]
    Entry { entry: Vec<u8>, source: Box<TreeError> },
}

/// A tree of nodes, the root first.
#[derive(Clone, Debug)]
pub struct Tree {
    nodes: Vec<Node>,
    /// The most nodes beside the root.
    most: u64,
}

impl Default for Tree {
    fn default() -> Self {
        Self::bounded(u64::from(u32::MAX))
    }
}

impl Node {
    /// A directory that nothing was said about: root's, 0755, as tar makes them.
    pub(crate) fn implied_directory() -> Self {
        Self {
            meta: Meta { mode: 0o755, ..Meta::default() },
            kind: Kind::Directory { children: BTreeMap::new(), opaque: false, implied: true },
        }
    }

    /// A directory that was said to be there.
    pub fn directory(meta: Meta) -> Self {
        let kind = Kind::Directory { children: BTreeMap::new(), opaque: false, implied: false };
        Self { meta, kind }
    }

    /// The entries, when this is a directory.
    pub fn children(&self) -> Option<&BTreeMap<Vec<u8>, NodeId>> {
        match &self.kind {
            Kind::Directory { children, .. } => Some(children),
            _ => None,
        }
    }
}

impl Tree {
    /// A tree that takes no more than so many nodes, whoever asks for them: one long name alone can imply thousands.
    pub fn bounded(most: u64) -> Self {
        Self { nodes: vec![Node::implied_directory()], most }
    }

    /// The root directory.
    pub const ROOT: NodeId = NodeId(0);

    /// A node of this tree.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    /// How many nodes were ever added.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// A tree always has its root.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The nodes that may have more than one name.
    pub(crate) fn shared_nodes(&self) -> HashSet<NodeId> {
        let mut seen = HashSet::new();
        let children = self.nodes.iter().filter_map(Node::children).flat_map(BTreeMap::values);
        children.copied().filter(|&id| !seen.insert(id)).collect()
    }

    /// Add a node that has no name yet.
    pub fn add(&mut self, node: Node) -> Result<NodeId, TreeError> {
        let count = self.nodes.len() as u64;
        let id = u32::try_from(count).ok().filter(|_| count <= self.most);
        let id = id.ok_or(TreeError::Full(self.most))?;
        self.nodes.push(node);
        Ok(NodeId(id))
    }

    /// What stands under `name` in the directory.
    pub fn child(&self, directory: NodeId, name: &[u8]) -> Option<NodeId> {
        self.node(directory).children()?.get(name).copied()
    }

    /// Let `name` in the directory stand for `node`.
    pub fn link(&mut self, directory: NodeId, name: &[u8], node: NodeId) {
        if let Kind::Directory { children, .. } = &mut self.node_mut(directory).kind {
            children.insert(name.to_vec(), node);
        }
    }

    /// Put an entry of a layer at `path`; what the same layer had there before is replaced, except that a
    /// directory stays what it is and takes the new owner, mode and times. The empty path is the root.
    pub fn insert(&mut self, path: &[&[u8]], node: Node) -> Result<NodeId, TreeError> {
        let Some((name, parents)) = path.split_last() else {
            return self.refresh_directory(Self::ROOT, node);
        };
        let directory = self.make_directories(parents)?;
        let existing = self.child(directory, name);
        if let Some(existing) = existing.filter(|&id| self.node(id).children().is_some())
            && node.children().is_some()
        {
            return self.refresh_directory(existing, node);
        }
        let id = self.add(node)?;
        // A whiteout was about lower layers, and so was what took the place of theirs: they stay hidden by whatever comes now.
        if existing.is_some() {
            self.make_opaque(id);
        }
        self.link(directory, name, id);
        Ok(id)
    }

    fn refresh_directory(&mut self, id: NodeId, node: Node) -> Result<NodeId, TreeError> {
        if node.children().is_none() {
            return Err(TreeError::NotADirectory(b"/".to_vec()));
        }
        let existing = self.node_mut(id);
        existing.meta = node.meta;
        if let Kind::Directory { implied, .. } = &mut existing.kind {
            *implied = false;
        }
        Ok(id)
    }

    /// Let a directory hide what lower layers have in it.
    fn make_opaque(&mut self, id: NodeId) {
        if let Kind::Directory { opaque, .. } = &mut self.node_mut(id).kind {
            *opaque = true;
        }
    }

    /// A layer's `.wh..wh..opq`: hide everything of the lower layers in this directory.
    pub fn hide_below(&mut self, directory: &[&[u8]]) -> Result<(), TreeError> {
        let id = self.make_directories(directory)?;
        self.make_opaque(id);
        Ok(())
    }

    /// A layer's `.wh.NAME`: hide NAME of the lower layers, not of this one.
    pub fn white_out(&mut self, path: &[&[u8]]) -> Result<(), TreeError> {
        let Some((name, parents)) = path.split_last() else { return Ok(()) };
        let directory = self.make_directories(parents)?;
        match self.child(directory, name) {
            Some(existing) => self.make_opaque(existing),
            None => {
                let whiteout = self.add(Node { meta: Meta::default(), kind: Kind::Whiteout })?;
                self.link(directory, name, whiteout);
            }
        }
        Ok(())
    }
}
