//! A directory's data: blocks, each with its entries first and then their names.
//!
//! The kernel looks a name up by bisecting the blocks and then the entries of one, so all names are in byte order,
//! `.` and `..` among them. The number of entries in a block follows from where the first name starts.

use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U64};

use super::BLOCK;
use super::format::{DIRENT_SIZE, Dirent};

/// One name, what it stands for, and that inode's number.
pub struct Entry<'a> {
    pub name: &'a [u8],
    pub nid: u64,
    pub file_type: u8,
}

/// Split names, in order, into blocks: how many of them go into each, and how many bytes they take there.
fn blocks(names: impl Iterator<Item = usize>) -> Vec<(usize, usize)> {
    let mut blocks = vec![(0, 0)];
    for len in names {
        let bytes = DIRENT_SIZE + len;
        match blocks.last_mut() {
            Some((count, used)) if *used + bytes <= BLOCK as usize => {
                *count += 1;
                *used += bytes;
            }
            _ => blocks.push((1, bytes)),
        }
    }
    blocks
}

/// The size of a directory with names of these lengths: whole blocks, except the last.
pub fn size(names: impl Iterator<Item = usize>) -> u64 {
    let blocks = blocks(names);
    let last = blocks.last().map_or(0, |&(_, used)| used as u64);
    (blocks.len() as u64 - 1) * BLOCK + last
}

/// The directory's data.
pub fn data(mut entries: Vec<Entry<'_>>) -> Vec<u8> {
    entries.sort_by(|a, b| a.name.cmp(b.name));
    let mut data = Vec::new();
    let mut rest = &entries[..];
    for (count, _) in blocks(entries.iter().map(|entry| entry.name.len())) {
        data.resize(data.len().next_multiple_of(BLOCK as usize), 0);
        let (here, after) = rest.split_at(count);
        rest = after;
        let mut nameoff = count * DIRENT_SIZE;
        for entry in here {
            let dirent = Dirent {
                nid: U64::new(entry.nid),
                nameoff: U16::new(nameoff as u16),
                file_type: entry.file_type,
                reserved: 0,
            };
            data.extend(dirent.as_bytes());
            nameoff += entry.name.len();
        }
        here.iter().for_each(|entry| data.extend(entry.name));
    }
    data
}
