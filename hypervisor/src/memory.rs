//! Guest memory: anonymous and private, so that the host may give it large pages.
//!
//! What a kernel only reads is mapped from its file, not copied: all VMs of that kernel share it. A mapped page costs a guest
//! an exit of its own, so of the kernel's large pages (2 MiB) those are asked for, and get copies, that it does not mostly read
//! ([`Loader::expect_kernel`]; on aarch64 none, whose kernel writes to little). What lies above the kernel, and under it what
//! Linux uses, is as the host decides: large pages where it gives them. An initramfs is copied: Linux unpacks it and gives its
//! pages to whoever asks for memory. `huge_pages` (see `CONFIG.md`) asks for large pages everywhere; then all files are copied into them.
//!
//! The choice by numbers: start of the VMM to the guest's init on a clock that counts instructions, medians, and what the VMM
//! then has resident; 256 MiB, one vCPU, host with large pages at `always`; our own kernel (19 MB, of which the guest writes some
//! 10: every return of its text is patched) and Debian's 6.12, which waits for ticks of 4 ms here and there.
//!
//! | large pages | own, ms | own, MiB | Debian's, ms |
//! |---|---|---|---|
//! | above the kernel; of the kernel's only those that are written from end to end | 106.3 | 29.2 | 643 |
//! | the same, and all of `.bss`, though the file has zeros for it (Debian's) | 106.3 | 29.2 | 619 |
//! | the same, and all under the kernel but the first | 99.8 | 32.6 | 623 |
//! | the same, but of those only from 8 MiB on | 99.3 | 30.8 | 618 |
//! | the same, and the first | 98.0 | 31.7 | 618 |
//! | **the same, and of the kernel's those that are read by half at most** | 97.8 | 31.7 | 616 |
//! | all but the first, everything copied | 98.3 | 37.9 | 614 |
//! | all, everything copied | 97.1 | 38.9 | 609 |
//! | (Firecracker: all, everything copied) | 100.9 | 42.4 | 614 to 622 |
//!
//! So large pages win wherever the guest touches a third of one; a copy of what is only read costs each VM 6 MiB for one
//! percent. Debian's has 13 MiB of that, looks at three quarters of them, and is copied (`machine/boot.rs`). A guest whose kernel
//! lies in the first large page is one of a few pages: to clear 2 MiB for it is a third of its start.
//! An idle container (`bulkhead run -m 128M`, four at once) has 34.4 MB that no other process has; by the first line, 33.0.
//!
//! Tried, and worse on a clock by which a cleared page cost eight times as much: a memfd in place of private memory (10 % more
//! until init), pages filled before the start by `MADV_POPULATE_WRITE` or `KVM_PRE_FAULT_MEMORY` (2 to 4 % more than faults,
//! and up to 12 MiB more). Without KASLR, which moves only the data of a kernel that nothing unpacks, it is the same.
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
        length: u64,
        /// What the system said.
        error: std::io::Error,
    },
    /// No address space for the memory.
    #[error("guest memory of {mib} MiB: cannot map it: {error}")]
    Map { mib: u64, error: MmapRegionError },
    /// A file's bytes did not get into guest memory.
    #[error("{}: cannot put {length} bytes from offset {offset:#x} into guest memory: {error}", file.display())]
    Load {
        /// The kernel or initramfs.
        file: PathBuf,
        /// Where in the file.
        offset: u64,
        length: u64,
        error: LoadProblem,
    },
    /// A table did not fit into guest memory.
    #[error("boot data of {length} bytes does not fit at guest address {gpa:#x}")]
    Write { gpa: u64, length: usize },
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

/// What a guest has in its memory is nobody's who reads a core dump.
pub fn keep_out_of_core_dumps(
    memory: &GuestMemory,
    ranges: &[Range<u64>],
) -> Result<(), MemoryError> {
    let mut ranges = ranges.iter();
    ranges.try_for_each(|range| ram::advise(memory, range.clone(), Advice::LinuxDontDump))
}
