//! The page tables of a kernel that is entered in long mode (Intel SDM 3A §4.5).
//!
//! An identity map of the first 4 GiB by 2 MiB pages: one PML4 and one page directory pointer table
//! with one entry in use and four, then four page directories. The kernel makes its own soon after.

use super::layout::PAGE_TABLES;

const PAGE: u64 = 4096;
const LARGE_PAGE: u64 = 2 << 20;
/// Entries of a table, at every level.
const ENTRIES: u64 = 512;
const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
/// In a page directory: the entry maps a 2 MiB page.
const LARGE: u64 = 1 << 7;
/// Page directories: 1 GiB each.
const DIRECTORIES: u64 = 4;

/// The tables as guest memory: one run of six pages.
pub fn identity() -> Vec<(u64, Vec<u8>)> {
    let pointers = PAGE_TABLES + PAGE;
    let directories = pointers + PAGE;
    let mut entries = vec![0u64; ((2 + DIRECTORIES) * ENTRIES) as usize];
    entries[0] = pointers | PRESENT | WRITABLE;
    for n in 0..DIRECTORIES {
        entries[(ENTRIES + n) as usize] = (directories + n * PAGE) | PRESENT | WRITABLE;
    }
    for (n, entry) in entries[2 * ENTRIES as usize..].iter_mut().enumerate() {
        *entry = (n as u64 * LARGE_PAGE) | PRESENT | WRITABLE | LARGE;
    }
    vec![(PAGE_TABLES, entries.iter().flat_map(|entry| entry.to_le_bytes()).collect())]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks the tables as the CPU does.
    fn translate(tables: &[u8], address: u64) -> Option<u64> {
        let mut table = PAGE_TABLES;
        for shift in [39, 30, 21] {
            let offset = (table - PAGE_TABLES + (address >> shift & 511) * 8) as usize;
            let entry = u64::from_le_bytes(tables[offset..offset + 8].try_into().unwrap());
            if entry & PRESENT == 0 {
                return None;
            }
            table = entry & !0xFFF;
            if entry & LARGE != 0 {
                return Some(table + address % LARGE_PAGE);
            }
        }
        None
    }

    #[test]
    fn the_first_four_gib_are_mapped_to_themselves() {
        let tables = identity().remove(0).1;
        assert_eq!(tables.len(), 6 * 4096);
        for address in [0, 0x9000, 0x1F_FFFF, 0x20_0000, 0x3FFF_FFFF, 0x4000_0000, 0xFFFF_FFFF] {
            assert_eq!(translate(&tables, address), Some(address));
        }
        assert_eq!(translate(&tables, 1 << 32), None);
        assert_eq!(translate(&tables, 1 << 39), None);
    }
}
