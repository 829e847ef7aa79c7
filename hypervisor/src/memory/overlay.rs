//! Laying a file's pages over guest memory: the one place where a mapping is replaced.

mod cut_off;

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
/// Should the file become shorter while the VM runs, a page that is cut off reads as zeros here ([`cut_off`]), and a
/// vCPU that touches it first ends the VM: KVM does not enter the guest without it.
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
    let start = address as usize;
    cut_off::expect_in(start..start + length as usize)?;
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
