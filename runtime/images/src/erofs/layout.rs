//! Where everything goes: decided before the first byte is written, because a directory holds the numbers of
//! inodes that come after it, and a file the number of a block behind all the metadata.

use std::collections::HashMap;

use super::format::{DataLayout, INODE_SIZE, SLOT};
use super::{BLOCK, directory, xattr};
use crate::tree::{Kind, NodeId, Tree};

/// One inode and its place.
pub struct Placed {
    pub id: NodeId,
    /// The directory that it was first found in; the root is its own.
    pub parent: NodeId,
    /// Byte offset of the inode.
    pub offset: u64,
    pub xattrs: Vec<u8>,
    /// Length of the data that belongs to the metadata part: a directory's or a symbolic link's.
    pub data_len: u64,
    pub layout: DataLayout,
    /// First block of the data that is not inline.
    pub block: u64,
    pub links: u32,
}

impl Placed {
    /// The inode's number.
    pub fn nid(&self) -> u64 {
        self.offset / SLOT
    }

    /// Where inline data starts.
    pub fn inline_offset(&self) -> u64 {
        self.offset + INODE_SIZE + self.xattrs.len() as u64
    }

    /// How much of the data is not inline.
    pub fn block_len(&self) -> u64 {
        match self.layout {
            DataLayout::FlatPlain => self.data_len,
            DataLayout::FlatInline => self.data_len / BLOCK * BLOCK,
        }
    }
}

/// The whole metadata part.
pub struct Layout {
    /// Inodes in the order of their places, the root first.
    pub inodes: Vec<Placed>,
    /// Which of them a node became.
    pub index: HashMap<NodeId, usize>,
    /// The length of the part in blocks.
    pub blocks: u64,
}

/// Find a place for every inode of the tree.
pub fn plan(tree: &Tree) -> Layout {
    let (mut inodes, index) = collect(tree);
    // The superblock's root number has 16 bits: the root comes first, in block 1.
    let mut cursor = BLOCK;
    for inode in &mut inodes {
        place(inode, &mut cursor);
    }
    let mut block = cursor.div_ceil(BLOCK);
    for inode in &mut inodes {
        inode.block = block;
        block += inode.block_len().div_ceil(BLOCK);
    }
    Layout { inodes, index, blocks: block }
}

/// Every inode that has a name, each once, a directory's entries right after it.
fn collect(tree: &Tree) -> (Vec<Placed>, HashMap<NodeId, usize>) {
    let mut inodes: Vec<Placed> = Vec::new();
    let mut index = HashMap::new();
    let mut pending = vec![(Tree::ROOT, Tree::ROOT)];
    while let Some((id, parent)) = pending.pop() {
        if let Some(&known) = index.get(&id) {
            let inode: &mut Placed = &mut inodes[known];
            inode.links += 1;
            continue;
        }
        let node = tree.node(id);
        let (mut links, mut data_len) = (1, 0);
        match &node.kind {
            Kind::Directory { children, .. } => {
                let names = sorted_names(children.keys().map(Vec::as_slice));
                data_len = directory::size(names.iter().map(|name| name.len()));
                // Its name, its own ".", and the ".." of every directory in it.
                let is_directory = |id: &&NodeId| tree.node(**id).children().is_some();
                links = 2 + children.values().filter(is_directory).count() as u32;
                pending.extend(children.values().rev().map(|&child| (child, id)));
            }
            Kind::Symlink(target) => data_len = target.len() as u64,
            _ => {}
        }
        index.insert(id, inodes.len());
        inodes.push(Placed {
            id,
            parent,
            offset: 0,
            xattrs: xattr::body(&node.meta.xattrs),
            data_len,
            layout: DataLayout::FlatPlain,
            block: 0,
            links,
        });
    }
    (inodes, index)
}

/// Put the inode at the cursor, or at the next block where it would otherwise straddle one. Only inline data must
/// not cross a block; the rest is kept together because then one block read brings all of it.
fn place(inode: &mut Placed, cursor: &mut u64) {
    let fixed = INODE_SIZE + inode.xattrs.len() as u64;
    let tail = inode.data_len % BLOCK;
    let inline = tail > 0 && fixed + tail <= BLOCK;
    let len = if inline { fixed + tail } else { fixed };
    if *cursor % BLOCK + len > BLOCK {
        *cursor = cursor.next_multiple_of(BLOCK);
    }
    inode.offset = *cursor;
    inode.layout = if inline { DataLayout::FlatInline } else { DataLayout::FlatPlain };
    *cursor = (*cursor + len).next_multiple_of(SLOT);
}

/// A directory's names in byte order, with the two that every directory has.
fn sorted_names<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<&'a [u8]> {
    let mut names: Vec<&[u8]> = names.chain([&b"."[..], b".."]).collect();
    names.sort_unstable();
    names
}
