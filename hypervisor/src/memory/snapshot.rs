//! Guest memory as a file, and out of one: its ranges behind one another, in one sparse file. A page of zeros is a hole.
//!
//! The file is mapped where the guest's memory is to be: a page is read when the guest touches it, shared with all others of
//! the same file until it writes to it, and what is restored costs the same whatever its size.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use devices::GuestMemory;
use vm_memory::{Bytes, GuestMemoryBackend, GuestMemoryRegion, MemoryRegionAddress};

use super::{LoadProblem, PAGE, overlay};

/// How much is looked at at once, in bytes: it stays in a processor's cache.
const CHUNK: usize = 64 << 10;

/// How long the file is.
pub fn length(memory: &GuestMemory) -> u64 {
    memory.iter().map(|region| region.len()).sum()
}

/// Writes the memory of a guest that stands still to an empty file. What is read is what the guest sees, whatever lies behind
/// it.
pub fn save(memory: &GuestMemory, file: &File) -> io::Result<()> {
    file.set_len(length(memory))?;
    let mut chunk = vec![0; CHUNK];
    let mut begin = 0;
    for region in memory.iter() {
        let mut done = 0;
        while done < region.len() {
            let length = (region.len() - done).min(CHUNK as u64) as usize;
            let bytes = &mut chunk[..length];
            let at = MemoryRegionAddress(done);
            region.read_slice(bytes, at).map_err(io::Error::other)?;
            write_pages(bytes, file, begin + done)?;
            done += length as u64;
        }
        begin += region.len();
    }
    Ok(())
}

/// Writes the pages that are not zero, those side by side at once.
fn write_pages(bytes: &[u8], file: &File, at: u64) -> io::Result<()> {
    const PAGE_SIZE: usize = PAGE as usize;
    static ZEROS: [u8; PAGE_SIZE] = [0; PAGE_SIZE];
    let is_zero = |page: &[u8]| page == &ZEROS[..page.len()];
    let mut from = 0;
    while from < bytes.len() {
        let mut pages = bytes[from..].chunks(PAGE_SIZE);
        let written = pages.by_ref().take_while(|page| !is_zero(page)).count() * PAGE_SIZE;
        let end = bytes.len().min(from + written);
        if end > from {
            file.write_all_at(&bytes[from..end], at + from as u64)?;
        }
        // The page behind them is zero, or there is none.
        from = end + PAGE_SIZE;
    }
    Ok(())
}

/// Lays such a file over the memory of a guest that has not run. Its length must be that of the memory.
pub fn map(memory: &GuestMemory, file: &File) -> Result<(), LoadProblem> {
    let mut offset = 0;
    for region in memory.iter() {
        overlay::map(memory, region.start_addr().0, region.len(), file, offset)?;
        offset += region.len();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use proptest::prelude::*;
    use vm_memory::GuestAddress;

    use super::*;
    use crate::config::HugePages;
    use crate::memory::create;

    const RANGES: [std::ops::Range<u64>; 2] = [0..1 << 20, 1 << 32..(1 << 32) + (1 << 18)];

    fn memory() -> GuestMemory {
        create(&RANGES, HugePages::None).unwrap()
    }

    #[test]
    fn what_is_zero_is_a_hole() {
        let (memory, file) = (memory(), tempfile::tempfile().unwrap());
        memory.write_obj(7u8, GuestAddress(0x5123)).unwrap();
        memory.write_obj(8u8, GuestAddress((1 << 32) + (1 << 18) - 1)).unwrap();
        save(&memory, &file).unwrap();
        let metadata = file.metadata().unwrap();
        assert_eq!(metadata.len(), length(&memory));
        assert_eq!(metadata.len(), (1 << 20) + (1 << 18));
        assert!(metadata.blocks() * 512 <= 64 << 10, "{} blocks", metadata.blocks());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn memory_comes_back_as_it_was_and_is_the_guest_s_alone(
            writes in proptest::collection::vec((0..(5u64 << 18) - 16, any::<[u8; 16]>()), 0..40)
        ) {
            let (memory, file) = (memory(), tempfile::tempfile().unwrap());
            let place = |at: u64| GuestAddress(if at < 1 << 20 { at } else { (1 << 32) + at - (1 << 20) });
            for (at, bytes) in writes.iter().filter(|(at, _)| at + 16 <= 1 << 20 || *at >= 1 << 20) {
                memory.write_slice(bytes, place(*at)).unwrap();
            }
            save(&memory, &file).unwrap();
            let all = |memory: &GuestMemory| {
                let mut all = vec![0; 5 << 18];
                memory.read_slice(&mut all[..1 << 20], place(0)).unwrap();
                memory.read_slice(&mut all[1 << 20..], place(1 << 20)).unwrap();
                all
            };
            let restored = self::memory();
            map(&restored, &file).unwrap();
            prop_assert!(all(&restored) == all(&memory));
            // Saved once more, from pages of a file.
            restored.write_obj(1u8, place(0)).unwrap();
            let again = tempfile::tempfile().unwrap();
            save(&restored, &again).unwrap();
            let third = self::memory();
            map(&third, &again).unwrap();
            prop_assert!(all(&restored) == all(&third));
            let mut first = [0];
            file.read_exact_at(&mut first, 0).unwrap();
            prop_assert_eq!(first[0], memory.read_obj::<u8>(place(0)).unwrap());
        }
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let memory = memory();
        memory.write_obj(7u8, GuestAddress(0)).unwrap();
        assert!(save(&memory, &full).is_err());
    }
}
