//! Writing the planned metadata part.

use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

use super::directory::{self, Entry};
use super::format::{
    FEATURE_COMPAT_MTIME, FEATURE_COMPAT_SB_CHKSUM, Inode, MAGIC, SUPER_OFFSET, SuperBlock, crc32c,
};
use super::layout::{Layout, Placed, plan};
use super::{BLOCK, ErofsError, xattr};
use crate::tree::{Extent, Kind, NodeId, Tree};

/// File types of `i_mode` (Linux `include/uapi/linux/stat.h`).
const S_IFIFO: u32 = 0o010_000;
const S_IFCHR: u32 = 0o020_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFBLK: u32 = 0o060_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;
const S_IFSOCK: u32 = 0o140_000;

/// The metadata part of an image whose layers' blobs, with these lengths, stand behind it. `uuid` names the image.
pub fn metadata(tree: &Tree, blobs: &[u64], uuid: [u8; 16]) -> Result<Vec<u8>, ErofsError> {
    let layout = plan(tree);
    let mut starts = Vec::with_capacity(blobs.len());
    let mut end = layout.blocks;
    for len in blobs {
        starts.push(end);
        end = end.saturating_add(len.div_ceil(BLOCK));
    }
    let total = u32::try_from(end).map_err(|_| ErofsError::TooLarge(end))?;
    let writer = Writer { tree, layout: &layout, blobs, starts };
    let mut part = vec![0; (layout.blocks * BLOCK) as usize];
    for (number, inode) in layout.inodes.iter().enumerate() {
        writer.write_inode(&mut part, number, inode)?;
    }
    write_super_block(&mut part, &layout, total, uuid);
    Ok(part)
}

struct Writer<'a> {
    tree: &'a Tree,
    layout: &'a Layout,
    blobs: &'a [u64],
    /// The first block of each blob.
    starts: Vec<u64>,
}

impl Writer<'_> {
    fn write_inode(
        &self,
        part: &mut [u8],
        number: usize,
        placed: &Placed,
    ) -> Result<(), ErofsError> {
        let node = self.tree.node(placed.id);
        let data = self.data(placed);
        let data_block = if data.is_empty() { 0 } else { placed.block as u32 };
        let (size, i_u) = match &node.kind {
            Kind::File(extent) => (extent.size, self.file_block(extent)?),
            Kind::Character(major, minor) | Kind::Block(major, minor) => {
                (0, encode_device(*major, *minor))
            }
            _ => (placed.data_len, data_block),
        };
        let (file_mode, _) = mode_and_type(&node.kind)?;
        let inode = Inode {
            i_format: U16::new(placed.layout.i_format()),
            i_xattr_icount: U16::new(xattr::icount(&placed.xattrs)),
            i_mode: U16::new((file_mode | node.meta.mode & 0o7777) as u16),
            i_size: U64::new(size),
            i_u: U32::new(i_u),
            i_ino: U32::new(number as u32 + 1),
            i_uid: U32::new(node.meta.uid),
            i_gid: U32::new(node.meta.gid),
            i_mtime: U64::new(node.meta.mtime.seconds as u64),
            i_mtime_nsec: U32::new(node.meta.mtime.nanos),
            i_nlink: U32::new(placed.links),
            ..Inode::default()
        };
        put(part, placed.offset, inode.as_bytes());
        put(part, placed.inline_offset() - placed.xattrs.len() as u64, &placed.xattrs);
        let (blocks, tail) = data.split_at(placed.block_len() as usize);
        put(part, placed.block * BLOCK, blocks);
        put(part, placed.inline_offset(), tail);
        Ok(())
    }

    /// The data that belongs to the metadata part.
    fn data(&self, placed: &Placed) -> Vec<u8> {
        match &self.tree.node(placed.id).kind {
            Kind::Directory { children, .. } => {
                let mut entries =
                    vec![self.entry(b".", placed.id), self.entry(b"..", placed.parent)];
                entries.extend(children.iter().map(|(name, &id)| self.entry(name, id)));
                directory::data(entries)
            }
            Kind::Symlink(target) => target.clone(),
            _ => Vec::new(),
        }
    }

    fn entry<'a>(&self, name: &'a [u8], id: NodeId) -> Entry<'a> {
        let nid = self.layout.inodes[self.layout.index[&id]].nid();
        let file_type =
            mode_and_type(&self.tree.node(id).kind).map_or(0, |(_, file_type)| file_type);
        Entry { name, nid, file_type }
    }

    fn file_block(&self, extent: &Extent) -> Result<u32, ErofsError> {
        if extent.size == 0 {
            return Ok(0);
        }
        let layer = extent.layer as usize;
        let (Some(start), Some(&len)) = (self.starts.get(layer), self.blobs.get(layer)) else {
            return Err(ErofsError::NoSuchLayer(extent.layer));
        };
        let inside = extent.offset.checked_add(extent.size).is_some_and(|end| end <= len);
        if !inside || !extent.offset.is_multiple_of(BLOCK) {
            return Err(ErofsError::OutsideBlob);
        }
        let block = start + extent.offset / BLOCK;
        u32::try_from(block).map_err(|_| ErofsError::TooLarge(block))
    }
}

/// The type bits of `i_mode` and the type in a directory entry (Linux `FT_*`, `include/linux/fs_types.h`).
fn mode_and_type(kind: &Kind) -> Result<(u32, u8), ErofsError> {
    Ok(match kind {
        Kind::File(_) => (S_IFREG, 1),
        Kind::Directory { .. } => (S_IFDIR, 2),
        Kind::Character(..) => (S_IFCHR, 3),
        Kind::Block(..) => (S_IFBLK, 4),
        Kind::Fifo => (S_IFIFO, 5),
        Kind::Socket => (S_IFSOCK, 6),
        Kind::Symlink(_) => (S_IFLNK, 7),
        Kind::Whiteout | Kind::LinkBelow(_) => return Err(ErofsError::Whiteout),
    })
}

/// Linux `new_encode_dev`: 12 bits of major number between the low 8 and the high 12 bits of minor number.
fn encode_device(major: u32, minor: u32) -> u32 {
    minor & 0xff | (major & 0xfff) << 8 | (minor & !0xff) << 12
}

fn write_super_block(part: &mut [u8], layout: &Layout, blocks: u32, uuid: [u8; 16]) {
    let root_nid = layout.inodes.first().map_or(0, Placed::nid);
    let mut super_block = SuperBlock {
        magic: U32::new(MAGIC),
        feature_compat: U32::new(FEATURE_COMPAT_SB_CHKSUM | FEATURE_COMPAT_MTIME),
        blkszbits: BLOCK.trailing_zeros() as u8,
        root_nid: U16::new(root_nid as u16),
        inos: U64::new(layout.inodes.len() as u64),
        blocks: U32::new(blocks),
        uuid,
        volume_name: *b"bulkhead\0\0\0\0\0\0\0\0",
        ..SuperBlock::default()
    };
    put(part, SUPER_OFFSET as u64, super_block.as_bytes());
    super_block.checksum = U32::new(crc32c(&part[SUPER_OFFSET..BLOCK as usize]));
    put(part, SUPER_OFFSET as u64, super_block.as_bytes());
}

fn put(part: &mut [u8], offset: u64, bytes: &[u8]) {
    let offset = offset as usize;
    part[offset..offset + bytes.len()].copy_from_slice(bytes);
}
