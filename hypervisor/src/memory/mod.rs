//! Guest memory: one `memfd`, mapped shared, that the guest sees as its RAM.
//!
//! A file rather than anonymous memory, because another process can then be given the guest's
//! memory by its descriptor. Nothing is reserved or touched ahead: a page costs the host nothing
//! until the guest, or the boot loader in [`load`], uses it.

mod load;
mod overlay;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use devices::GuestMemory;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use vm_memory::mmap::MmapRegionError;
use vm_memory::{FileOffset, GuestAddress, GuestMemoryError, GuestRegionMmap, MmapRegion};

pub use load::{Loaded, Loader, Piece};

/// The page size of the guest and, on x86_64, of the host.
pub const PAGE: u64 = 4096;

/// Why guest memory could not be set up or filled.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// No file for the memory.
    #[error("guest memory of {mib} MiB: cannot create its memfd: {error}")]
    Create {
        /// Size asked for.
        mib: u64,
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

/// Makes the RAM that fills the guest physical `ranges`.
pub fn create(ranges: &[Range<u64>]) -> Result<GuestMemory, MemoryError> {
    let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    let mib = bytes >> 20;
    let create = |error: rustix::io::Errno| MemoryError::Create { mib, error: error.into() };
    let fd = memfd_create(c"guest-ram", MemfdFlags::CLOEXEC).map_err(create)?;
    ftruncate(&fd, bytes).map_err(create)?;
    let file = Arc::new(File::from(fd));
    let mut regions = Vec::with_capacity(ranges.len());
    let mut offset = 0;
    for range in ranges {
        let length = range.end - range.start;
        // `from_file` maps shared and without reserving swap.
        let mapping =
            MmapRegion::from_file(FileOffset::from_arc(Arc::clone(&file), offset), length as usize)
                .map_err(|error| MemoryError::Map { mib, error })?;
        regions.extend(GuestRegionMmap::new(mapping, GuestAddress(range.start)));
        offset += length;
    }
    // The ranges of a memory map are sorted, apart and not empty, so this cannot fail; and if they
    // were not, no VM would be better than one with less memory than it was told.
    GuestMemory::from_regions(regions)
        .map_err(|_| MemoryError::Map { mib, error: MmapRegionError::InvalidPointer })
}
