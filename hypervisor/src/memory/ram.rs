//! RAM: the host's memory behind guest memory, and what the host is told of it.

use std::io;
use std::ops::Range;
use std::ptr;

use devices::GuestMemory;
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use vm_memory::mmap::{MmapRegionBuilder, MmapRegionError};
use vm_memory::{GuestAddress, GuestMemoryBackend, MmapRegion};

use super::{LARGE_PAGE, MemoryError};

/// Guest memory is data to this process.
const PROTECTION: i32 = libc::PROT_READ | libc::PROT_WRITE;
/// Nothing is set aside for it: a page costs the host nothing until it is touched.
const FLAGS: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;

/// Anonymous private memory, at a multiple of a large page's size: only then can a large page of the
/// host be one of the guest's as well.
pub(super) fn anonymous(length: usize) -> Result<MmapRegion, MmapRegionError> {
    let region = MmapRegion::new(length)?;
    // Linux 6.7 and later begin a whole number of large pages there by themselves.
    if (region.as_ptr() as usize).is_multiple_of(LARGE_PAGE) || length < LARGE_PAGE {
        return Ok(region);
    }
    drop(region);
    aligned(length)
}

/// Takes as much too much as the place may be wrong, and gives back what is before and after it.
fn aligned(length: usize) -> Result<MmapRegion, MmapRegionError> {
    let failed = |error: Errno| MmapRegionError::Mmap(error.into());
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // SAFETY: a new mapping at a place that the kernel chooses.
    let mapped = unsafe { mmap_anonymous(ptr::null_mut(), length + LARGE_PAGE, protection, flags) };
    let mapped = mapped.map_err(failed)?.cast::<u8>();
    let head = mapped.align_offset(LARGE_PAGE);
    // SAFETY: both lie in the mapping, which is at least LARGE_PAGE longer than `length`.
    let (start, end) = unsafe { (mapped.add(head), mapped.add(head + length)) };
    for (part, length) in [(mapped, head), (end, LARGE_PAGE - head)] {
        if length > 0 {
            // SAFETY: this part of the new mapping is in nobody's hands.
            unsafe { munmap(part.cast(), length) }.map_err(failed)?;
        }
    }
    // SAFETY: a valid mapping of this length. It is never unmapped: guest memory lives as long as the process.
    unsafe { MmapRegion::build_raw(start, length, PROTECTION, FLAGS) }
}

/// Pages of 2 MiB of the host's reserve, all of them taken out of it now: with MAP_NORESERVE a guest would die of
/// SIGBUS when it touches the first that is not there.
pub(super) fn reserved(length: usize) -> Result<MmapRegion, MmapRegionError> {
    MmapRegionBuilder::new(length)
        .with_mmap_prot(PROTECTION)
        .with_mmap_flags(
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB | libc::MAP_HUGE_2MB,
        )
        .with_hugetlbfs(true)
        .build()
}

/// Tells the host which pages a guest physical range is to have, or who may not see them.
pub(super) fn advise(
    memory: &GuestMemory,
    range: Range<u64>,
    advice: Advice,
) -> Result<(), MemoryError> {
    let (gpa, length) = (range.start, range.end - range.start);
    let failed = |error| MemoryError::Advise { gpa, length, error };
    let target = memory
        .get_slice(GuestAddress(gpa), length as usize)
        .map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
    let address = target.ptr_guard_mut().as_ptr();
    // SAFETY: the range lies inside a mapping that `memory` owns, and neither advice on the size of pages
    // nor on core dumps changes anything of what is in them.
    match unsafe { madvise(address.cast(), length as usize, advice) } {
        // madvise(2): the host's kernel was built without large pages. It gives none, whatever it is told.
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(error) => Err(failed(error.into())),
    }
}
