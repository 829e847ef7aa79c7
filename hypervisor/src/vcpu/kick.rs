//! The signal that makes a vCPU's thread come back from `KVM_RUN`.

use std::io;
use std::os::unix::thread::JoinHandleExt;
use std::thread::JoinHandle;

/// The first real-time signal that the C library leaves free: nobody else uses it.
fn signal() -> libc::c_int {
    libc::SIGRTMIN()
}

/// The signal only has to interrupt a system call; there is nothing to do in its handler.
extern "C" fn ignore(_signal: libc::c_int) {}

/// Makes the signal harmless. No `SA_RESTART`: interrupted calls are to return.
pub fn install_handler() -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does nothing, so it is safe at any point of any thread.
    match unsafe { libc::sigaction(signal(), &action, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Signals a thread. One that has ended already does not mind.
pub fn kick(thread: &JoinHandle<()>) {
    // The standard library and the libc crate name the same C type in two ways on musl.
    #[allow(clippy::unnecessary_cast)]
    let identifier = thread.as_pthread_t() as libc::pthread_t;
    // SAFETY: the handle is neither joined nor dropped, so the identifier is this thread's own.
    unsafe { libc::pthread_kill(identifier, signal()) };
}
