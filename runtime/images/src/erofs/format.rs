//! The on-disk structures, as `fs/erofs/erofs_fs.h` names them. All numbers are little-endian.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{Immutable, IntoBytes, KnownLayout};

/// Where the superblock stands (`EROFS_SUPER_OFFSET`).
pub const SUPER_OFFSET: usize = 1024;

/// `EROFS_SUPER_MAGIC_V1`.
pub const MAGIC: u32 = 0xE0F5_E1E2;

/// `EROFS_FEATURE_COMPAT_SB_CHKSUM`: the superblock has a checksum.
pub const FEATURE_COMPAT_SB_CHKSUM: u32 = 0x1;

/// `EROFS_FEATURE_COMPAT_MTIME`: inodes hold the time of the last change, not of the last status change.
pub const FEATURE_COMPAT_MTIME: u32 = 0x2;

/// The unit of inode numbers (`EROFS_ISLOTBITS` is 5).
pub const SLOT: u64 = 32;

/// `struct erofs_super_block`.
#[derive(IntoBytes, Immutable, KnownLayout, Default)]
#[repr(C)]
pub struct SuperBlock {
    pub magic: U32,
    pub checksum: U32,
    pub feature_compat: U32,
    /// Block size as a power of two.
    pub blkszbits: u8,
    pub sb_extslots: u8,
    pub root_nid: U16,
    /// Number of inodes.
    pub inos: U64,
    pub build_time: U64,
    pub build_time_nsec: U32,
    pub blocks: U32,
    pub meta_blkaddr: U32,
    pub xattr_blkaddr: U32,
    pub uuid: [u8; 16],
    pub volume_name: [u8; 16],
    pub feature_incompat: U32,
    /// Compression, extra devices, long xattr prefixes, packed inode: nothing of it is used here.
    pub unused: [U32; 11],
}

/// `struct erofs_inode_extended`.
#[derive(IntoBytes, Immutable, KnownLayout, Default)]
#[repr(C)]
pub struct Inode {
    pub i_format: U16,
    pub i_xattr_icount: U16,
    pub i_mode: U16,
    pub i_reserved: U16,
    pub i_size: U64,
    /// Block number of the data, or the device number.
    pub i_u: U32,
    /// A number for the 32-bit `stat`.
    pub i_ino: U32,
    pub i_uid: U32,
    pub i_gid: U32,
    pub i_mtime: U64,
    pub i_mtime_nsec: U32,
    pub i_nlink: U32,
    pub i_reserved2: [u8; 16],
}

/// The size of an [`Inode`].
pub const INODE_SIZE: u64 = 64;

/// `i_format` bit 0: this inode is an extended one.
const VERSION_EXTENDED: u16 = 1;

/// Where an inode's data is: `i_format` bits 1 to 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataLayout {
    /// In the blocks from `i_u` on (`EROFS_INODE_FLAT_PLAIN`).
    FlatPlain,
    /// Likewise, but what is beyond the last whole block follows the inode (`EROFS_INODE_FLAT_INLINE`).
    FlatInline,
}

impl DataLayout {
    /// The inode's `i_format`.
    pub fn i_format(self) -> u16 {
        let layout = match self {
            Self::FlatPlain => 0,
            Self::FlatInline => 2,
        };
        VERSION_EXTENDED | layout << 1
    }
}

/// `struct erofs_dirent`.
#[derive(IntoBytes, Immutable, KnownLayout, Default)]
#[repr(C)]
pub struct Dirent {
    pub nid: U64,
    pub nameoff: U16,
    pub file_type: u8,
    pub reserved: u8,
}

/// The size of a [`Dirent`].
pub const DIRENT_SIZE: usize = 12;

/// `struct erofs_xattr_ibody_header`.
#[derive(IntoBytes, Immutable, KnownLayout, Default)]
#[repr(C)]
pub struct XattrHeader {
    pub h_name_filter: U32,
    pub h_shared_count: u8,
    pub h_reserved2: [u8; 7],
}

/// `struct erofs_xattr_entry`; name and value follow.
#[derive(IntoBytes, Immutable, KnownLayout, Default)]
#[repr(C)]
pub struct XattrEntry {
    pub e_name_len: u8,
    pub e_name_index: u8,
    pub e_value_size: U16,
}

/// The superblock's checksum: CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) from its start to the end of
/// its block, seeded with all ones and, unlike elsewhere, not inverted at the end.
pub fn crc32c(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 }
        })
    })
}

const _: () = assert!(size_of::<SuperBlock>() == 128);
const _: () = assert!(size_of::<Inode>() == INODE_SIZE as usize);
const _: () = assert!(size_of::<Dirent>() == DIRENT_SIZE);
const _: () = assert!(size_of::<XattrHeader>() == 12);
const _: () = assert!(size_of::<XattrEntry>() == 4);
