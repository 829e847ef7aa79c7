//! Reads the metadata part of an image (Linux fs/erofs/erofs_fs.h).

use std::collections::BTreeMap;

const BLOCK: usize = 4096;
/// `EROFS_SUPER_OFFSET`.
const SUPER: usize = 1024;
/// `struct erofs_inode_extended`.
const INODE: usize = 64;
/// `struct erofs_dirent`.
const DIRENT: usize = 12;
/// `struct erofs_xattr_ibody_header`.
const XATTRS: usize = 12;
/// `EROFS_XATTR_INDEX_*` and what they stand for.
const PREFIXES: [(u8, &str); 5] = [
    (1, "user."),
    (2, "system.posix_acl_access"),
    (3, "system.posix_acl_default"),
    (4, "trusted."),
    (6, "security."),
];

pub struct Image<'a>(&'a [u8]);

pub struct Inode {
    pub mode: u32,
    pub size: u64,
    /// `i_u`: a block, or a device.
    pub place: u32,
    pub uid: u32,
    pub gid: u32,
    pub seconds: i64,
    pub nanos: u32,
    pub links: u32,
    /// Whether what is beyond the last whole block follows the inode.
    inline: bool,
    /// Where that is.
    tail: usize,
}

impl<'a> Image<'a> {
    /// An image whose superblock is sound.
    pub fn new(part: &'a [u8]) -> Self {
        let image = Self(part);
        assert_eq!(image.number(SUPER, 4), 0xe0f5_e1e2, "EROFS_SUPER_MAGIC_V1");
        assert_eq!(image.number(SUPER + 12, 1), 12, "the block size's power of two");
        let mut block = part[SUPER..BLOCK].to_vec();
        block[4..8].fill(0);
        assert_eq!(image.number(SUPER + 4, 4), u64::from(crc32c(&block)));
        image
    }

    fn number(&self, at: usize, len: usize) -> u64 {
        self.0[at..at + len].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }

    pub fn root(&self) -> u64 {
        self.number(SUPER + 14, 2)
    }

    pub fn inodes(&self) -> u64 {
        self.number(SUPER + 16, 8)
    }

    pub fn blocks(&self) -> u64 {
        self.number(SUPER + 36, 4)
    }

    /// The inode with this number, which is its place in units of 32 bytes.
    pub fn inode(&self, number: u64) -> Inode {
        let at = number as usize * 32;
        let field = |offset: usize, len: usize| self.number(at + offset, len);
        let format = field(0, 2);
        assert!(format & 1 == 1 && matches!(format >> 1, 0 | 2), "an extended inode, flat");
        Inode {
            mode: field(4, 2) as u32,
            size: field(8, 8),
            place: field(16, 4) as u32,
            uid: field(24, 4) as u32,
            gid: field(28, 4) as u32,
            seconds: field(32, 8) as i64,
            nanos: field(40, 4) as u32,
            links: field(44, 4) as u32,
            inline: format >> 1 == 2,
            tail: at + INODE + self.attributes_len(number),
        }
    }

    fn attributes_len(&self, number: u64) -> usize {
        match self.number(number as usize * 32 + 2, 2) as usize {
            0 => 0,
            count => XATTRS + 4 * (count - 1),
        }
    }

    /// A directory's or a symbolic link's data.
    pub fn data(&self, inode: &Inode) -> Vec<u8> {
        let size = inode.size as usize;
        let plain = if inode.inline { size / BLOCK * BLOCK } else { size };
        let start = inode.place as usize * BLOCK;
        let mut data = self.0[start..start + plain].to_vec();
        let rest = size - plain;
        assert!(rest == 0 || inode.tail / BLOCK == (inode.tail + rest - 1) / BLOCK, "in one block");
        data.extend(&self.0[inode.tail..inode.tail + rest]);
        data
    }

    /// A directory's names and the inodes that they stand for.
    pub fn entries(&self, inode: &Inode) -> BTreeMap<Vec<u8>, u64> {
        let data = self.data(inode);
        let mut entries: Vec<(Vec<u8>, u64)> = Vec::new();
        for block in data.chunks(BLOCK) {
            let name_at = |index: usize| {
                let at = DIRENT * index + 8;
                usize::from(u16::from_le_bytes([block[at], block[at + 1]]))
            };
            let count = name_at(0) / DIRENT;
            for index in 0..count {
                let end = if index + 1 < count { name_at(index + 1) } else { block.len() };
                let name = &block[name_at(index)..end];
                // The last name of a block that is filled up ends at the first NUL.
                let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
                let number: [u8; 8] = *block[DIRENT * index..].first_chunk().expect("a dirent");
                entries.push((name.to_vec(), u64::from_le_bytes(number)));
            }
        }
        assert!(entries.is_sorted_by(|one, other| one.0 < other.0), "names are in order");
        entries.into_iter().collect()
    }

    /// An inode's extended attributes, by full name.
    pub fn attributes(&self, number: u64) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let start = number as usize * 32 + INODE;
        let end = start + self.attributes_len(number);
        let mut found = BTreeMap::new();
        let mut at = start + XATTRS;
        while at < end {
            let (name_len, index) = (self.0[at] as usize, self.0[at + 1]);
            let value_len = self.number(at + 2, 2) as usize;
            let prefix = PREFIXES.iter().find(|(number, _)| *number == index).expect("a known one");
            let (name, rest) = self.0[at + 4..].split_at(name_len);
            found.insert([prefix.1.as_bytes(), name].concat(), rest[..value_len].to_vec());
            at = (at + 4 + name_len + value_len).next_multiple_of(4);
        }
        found
    }
}

/// CRC-32C, not inverted at the end (`erofs_superblock_csum_verify`).
fn crc32c(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }
        })
    })
}
