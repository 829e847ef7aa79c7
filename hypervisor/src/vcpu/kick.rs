//! The signal that makes a vCPU's thread come back from `KVM_RUN`.

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::process::Pid;
use rustix::thread::gettid;

/// The first real-time signal that the C library leaves free: nobody else uses it.
fn signal() -> libc::c_int {
    libc::SIGRTMIN()
}

/// The signal only has to interrupt a system call; there is nothing to do in its handler.
extern "C" fn ignore(_signal: libc::c_int) {}

/// Makes the signal harmless, and lets it in, in the calling thread and those that it starts later: whoever started this
/// program may have blocked it. No `SA_RESTART`: interrupted calls are to return.
pub fn install_handler() -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = ignore as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does nothing, so it is safe at any point of any thread.
    if unsafe { libc::sigaction(signal(), &action, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initializes the set it is given; the other calls take pointers to the initialized set and don't
    // keep them.
    let result = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal());
        libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut())
    };
    match result {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// The thread to kick.
#[derive(Default)]
pub struct Target {
    /// 0 until it runs.
    number: AtomicI32,
}

impl Target {
    /// The calling thread is it.
    pub fn is_this_thread(&self) {
        self.number.store(gettid().as_raw_nonzero().get(), Ordering::SeqCst);
    }

    /// Signals it. One that has ended already does not mind.
    ///
    /// Not by pthread_kill: musl's asks for a thread of whatever process, and the filter of system calls lets signals go to
    /// this process only.
    pub fn kick(&self, process: Pid) {
        let number = self.number.load(Ordering::SeqCst);
        if number != 0 {
            // SAFETY: the call takes no pointers, and the signal does nothing, whichever of this process's threads gets it.
            unsafe {
                libc::syscall(libc::SYS_tgkill, process.as_raw_nonzero().get(), number, signal())
            };
        }
    }
}
