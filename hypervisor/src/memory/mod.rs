//! Guest memory: anonymous and private, so that the host may give it large pages.
//!
//! TABLE

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
const LARGE_PAGE: usize = 2 << 20;

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
