//! A second view of a vCPU's `struct kvm_run`, which KVM shares with this process.
//!
//! `kvm_ioctls` gives the vCPU's own thread what an exit says. Some things it does not give: a way
//! for another thread to set `immediate_exit`, the width of a port access (a string instruction's
//! exit carries several accesses), and what goes with exits that end the VM.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU8, Ordering};

use kvm_bindings::kvm_run;
use kvm_ioctls::VcpuFd;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::KvmError;

/// Our own mapping of the first page of the vCPU's run structure.
pub struct RunPage(NonNull<kvm_run>);

/// `struct kvm_run` proper fits into one page; the data of port accesses follows it.
const LENGTH: usize = 4096;
const _: () = assert!(size_of::<kvm_run>() <= LENGTH);

// SAFETY: the mapping is valid in every thread until it is dropped, and the methods read and write
// single fields through raw pointers or atomics.
unsafe impl Send for RunPage {}
// SAFETY: as above: no method hands out a reference into the page.
unsafe impl Sync for RunPage {}

impl RunPage {
    /// Maps the run structure of `vcpu` once more.
    pub fn new(vcpu: &VcpuFd) -> Result<RunPage, KvmError> {
        // SAFETY: `vcpu` keeps the descriptor open for the length of this borrow.
        let fd = unsafe { BorrowedFd::borrow_raw(vcpu.as_raw_fd()) };
        // SAFETY: a new mapping at an address that the kernel chooses. The pages belong to the
        // vCPU, which the mapping keeps alive.
        let page = unsafe {
            mmap(
                ptr::null_mut(),
                LENGTH,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                fd,
                0,
            )
        };
        let page = page.map_err(KvmError::call("mmap of a vCPU"))?;
        NonNull::new(page.cast())
            .map(RunPage)
            .ok_or_else(|| KvmError::call("mmap of a vCPU")(io::Error::last_os_error()))
    }

    /// Makes the current or the next `KVM_RUN` return at once. Set before the vCPU's thread is
    /// signalled, it closes the gap in which a signal alone would be lost: between the thread's last
    /// look at what it is to do and its entry into the guest.
    pub fn request_exit(&self) {
        // SAFETY: the field is a byte inside the mapping; the kernel reads it, and nothing in this
        // process accesses it except here.
        let immediate_exit =
            unsafe { AtomicU8::from_ptr(&raw mut (*self.0.as_ptr()).immediate_exit) };
        immediate_exit.store(1, Ordering::SeqCst);
    }

    /// The width in bytes of each access of the current `KVM_EXIT_IO`; never 0.
    pub fn port_access_width(&self) -> usize {
        // SAFETY: any bytes are a valid `u8`. KVM writes the field only inside `KVM_RUN`, which the
        // calling thread is not in.
        let width = unsafe { (*self.0.as_ptr()).__bindgen_anon_1.io.size };
        usize::from(width.max(1))
    }

    /// The guest physical address that goes with the current `KVM_EXIT_ARM_NISV`.
    pub fn undecoded_address(&self) -> u64 {
        // SAFETY: as in `port_access_width`.
        unsafe { (*self.0.as_ptr()).__bindgen_anon_1.arm_nisv.fault_ipa }
    }

    /// The reason that goes with the current `KVM_EXIT_INTERNAL_ERROR` (`KVM_INTERNAL_ERROR_*`).
    pub fn internal_suberror(&self) -> u32 {
        // SAFETY: as in `port_access_width`.
        unsafe { (*self.0.as_ptr()).__bindgen_anon_1.internal.suberror }
    }
}

impl Drop for RunPage {
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `new` and is used by nobody but `self`. It cannot fail:
        // address and length are those of the mapping.
        let _ = unsafe { munmap(self.0.as_ptr().cast(), LENGTH) };
    }
}
