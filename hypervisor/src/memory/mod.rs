//! Guest memory: anonymous and private, so that the host may give it large pages.
//!
//! Whole pages of kernel and initramfs are mapped, not copied: what the guest never writes is shared by all VMs of that
//! kernel. Up to the kernel's end pages are small, but for the large ones that a kernel fills and writes to most of: on
//! x86_64 those of its text and its data ([`Loader::expect_kernel`]). A page of a mapped file that is read and then written costs
//! a guest three exits, which were half of a boot. What lies above is as the host decides, large pages where it gives
//! them. `huge_pages` (see `CONFIG.md`) asks for large pages everywhere; then files are copied into them.
//!
//! The choice by numbers: start of the VMM to the guest's init on a clock that counts instructions, and what the VMM
//! then has resident, 256 MiB, one vCPU, host with large pages at `always`; our own kernel, of whose 19 MB the guest
//! writes some 10 (every return of its text is patched), and Debian's 6.12. The rows of a column are of one run.
//!
//! | guest memory | kernel file | own, ms | own, MiB | Debian's, ms | Debian's, MiB |
//! |---|---|---|---|---|---|
//! | memfd, small pages | mapped | 228.7 | 28.1 | 1,522 | 60.5 |
//! | small | mapped | 207.7 | 28.1 | 1,458 | 61.0 |
//! | small | copied | 205.3 | 33.2 | | |
//! | large | mapped | 215.3 | 35.6 | 1,479 | 64.1 |
//! | large but the first 2 MiB | copied | 206.2 | 39.9 | 1,464 | 75.0 |
//! | large but the first 2 MiB | text copied, data mapped | 203.2 | 38.1 | | |
//! | large but the first 2 MiB | text mapped, data copied | 217.5 | 36.5 | | |
//! | small | mapped, filled by `MADV_POPULATE_WRITE` | 213.4 | 39.9 | | |
//! | small | copied, and `KVM_PRE_FAULT_MEMORY` | 209.7 | 33.2 | | |
//! | (Firecracker: large, copied) | | 215.2 | 44.4 | 1,450 | 80.4 |
//!
//! So large pages under a whole kernel cost memory and win little: half of them is never touched. Where they are, they win.
//! Later, under text and data only:
//!
//! | text and data | own, ms | own, MiB | own, page faults | Debian's, ms | Debian's, MiB |
//! |---|---|---|---|---|---|
//! | small, mapped | 189.4 | 28.9 | 9,990 | 823.4 | 64.0 |
//! | text filled by `MADV_POPULATE_WRITE` | 183.1 | 32.4 | | | |
//! | large, copied, and the padding behind the text as well | 173.5 | 32.6 | 1,885 | | |
//! | large, copied | 160.1 | 29.2 | 2,279 | 803.5 | 66.4 |
//!
//! Above the kernel they win too: with Firecracker's command line, and in one run, 303.8 ms with small pages
//! everywhere, 299.1 ms (and 1.6 MiB more) with large ones above the kernel, Firecracker 307.8. Without KASLR, which
//! moves only the data of a kernel that nothing unpacks, it is the same: 207.9 ms. The first 2 MiB, where a one-page
//! guest is, cost 4 ms when they are cleared at once.
//!
//! The VMM of an idle container (`bulkhead run -m 128M`, four at once) has 28.6 MiB that no other process has; with large
//! pages everywhere and files copied it is 41.1 MiB, with a memfd 28.8.
//!
//! A device in another process will need memory that can be shared; none has, so there is none.

mod load;
mod overlay;
mod ram;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::PathBuf;

use devices::GuestMemory;
use rustix::mm::Advice;
use vm_memory::mmap::MmapRegionError;
use vm_memory::{GuestAddress, GuestMemoryError, GuestRegionMmap};

use crate::config::HugePages;

pub use load::{Loaded, Loader, Piece};

/// The page size of the guest and, on x86_64, of the host.
pub const PAGE: u64 = 4096;
/// A large page of a host whose small ones are 4 KiB.
pub const LARGE_PAGE: usize = 2 << 20;

/// Why guest memory could not be set up or filled.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The host's reserve of large pages is too small, or it has none of this size.
    #[error(
        "machine-config.huge_pages: \"2M\": the host has not {pages} free pages of 2 MiB in its reserve: raise \
         /proc/sys/vm/nr_hugepages, or use \"Transparent\": {error}"
    )]
    Reserve {
        /// How many are needed.
        pages: u64,
        /// What the system said.
        error: MmapRegionError,
    },
    /// The host does not take advice about the memory.
    #[error("guest memory from {gpa:#x}, {length} bytes: madvise: {error}")]
    Advise {
        /// First guest physical address.
        gpa: u64,
        /// How much.
        length: u64,
        /// What the system said.
        error: std::io::Error,
    },
    /// No address space for the memory.
    #[error("guest memory of {mib} MiB: cannot map it: {error}")]
    Map {
        /// Size asked for.
        mib: u64,
        /// What went wrong.
        error: MmapRegionError,
    },
    /// A file's bytes did not get into guest memory.
    #[error("{}: cannot put {length} bytes from offset {offset:#x} into guest memory: {error}", file.display())]
    Load {
        /// The kernel or initramfs.
        file: PathBuf,
        /// Where in the file.
        offset: u64,
        /// How much.
        length: u64,
        /// What went wrong.
        error: LoadProblem,
    },
    /// A table did not fit into guest memory.
    #[error("boot data of {length} bytes does not fit at guest address {gpa:#x}")]
    Write {
        /// Where.
        gpa: u64,
        /// How much.
        length: usize,
    },
}

/// What went wrong while a file was put into guest memory.
#[derive(Debug, thiserror::Error)]
pub enum LoadProblem {
    /// An address outside RAM, or a short read.
    #[error(transparent)]
    Memory(#[from] GuestMemoryError),
    /// A seek or a mapping failed.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

/// Makes the RAM that fills the guest physical `ranges`. Nothing is touched ahead: a page costs the host
/// nothing until the guest, or the boot loader in [`load`], uses it.
pub fn create(ranges: &[Range<u64>], huge_pages: HugePages) -> Result<GuestMemory, MemoryError> {
    let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    let mib = bytes >> 20;
    let mut regions = Vec::with_capacity(ranges.len());
    for range in ranges {
        let length = (range.end - range.start) as usize;
        let mapping = match huge_pages {
            HugePages::None | HugePages::Transparent => {
                ram::anonymous(length).map_err(|error| MemoryError::Map { mib, error })?
            }
            HugePages::Reserved2M => ram::reserved(length).map_err(|error| {
                MemoryError::Reserve { pages: bytes / LARGE_PAGE as u64, error }
            })?,
        };
        regions.extend(GuestRegionMmap::new(mapping, GuestAddress(range.start)));
    }
    // The ranges of a memory map are sorted, apart and not empty, so this cannot fail; and if they
    // were not, no VM would be better than one with less memory than it was told.
    let memory = GuestMemory::from_regions(regions)
        .map_err(|_| MemoryError::Map { mib, error: MmapRegionError::InvalidPointer })?;
    if huge_pages == HugePages::Transparent {
        for range in ranges {
            ram::advise(&memory, range.clone(), Advice::LinuxHugepage)?;
        }
    }
    Ok(memory)
}
