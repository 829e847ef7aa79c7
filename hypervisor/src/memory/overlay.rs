//! Laying a file's pages over guest memory: the one place where a mapping is replaced.

use std::fs::File;
use std::io;

use devices::GuestMemory;
use rustix::mm::{MapFlags, ProtFlags, mmap};
use vm_memory::{GuestAddress, GuestMemoryBackend};

use super::{LoadProblem, PAGE};

/// Maps `length` bytes of `file` from `offset` privately over the guest memory at `gpa`; all three
/// are multiples of the page size. The pages come from the page cache, are shared with whoever
/// else maps them, and are copied one by one when the guest writes to them.
///
/// The file must keep its length while the VM runs: a page that is cut off raises SIGBUS.
pub(super) fn map(
    memory: &GuestMemory,
    gpa: u64,
    length: u64,
    file: &File,
    offset: u64,
) -> Result<(), LoadProblem> {
    let aligned = [gpa, length, offset].iter().all(|number| number % PAGE == 0);
    if !aligned {
        return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
    }
    // Checks that the whole stretch lies in one region.
    let target = memory.get_slice(GuestAddress(gpa), length as usize)?;
    let address = target.ptr_guard_mut().as_ptr();
    // SAFETY: the stretch is page aligned (the regions begin on a page) and lies inside a mapping
    // that `memory` owns, so nothing else of this process is replaced. Guest memory is only ever
    // reached through volatile accesses, which don't mind that the bytes change, and `memory`
    // unmaps the stretch with the rest of its region.
    let mapped = unsafe {
        mmap(
            address.cast(),
            length as usize,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
            file,
            offset,
        )
    };
    mapped.map_err(io::Error::from)?;
    Ok(())
}
