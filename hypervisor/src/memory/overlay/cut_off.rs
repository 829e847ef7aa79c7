//! Pages of a mapped file that somebody cut off while the VM runs.
//!
//! Whoever touches one gets SIGBUS (mmap(2)), which would end this process without a word, in the middle of a device's
//! work for the guest. Instead a page of zeros takes its place: the guest has lost it in any case.

use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A stretch of this process's addresses at which a file is mapped. Guest memory lives as long as the process, so that
/// a stretch is never taken back.
struct Stretch {
    at: Range<usize>,
    /// The size of its pages.
    page: usize,
    next: *mut Stretch,
}

/// All of them, in a list that a signal handler can read at any time.
static STRETCHES: AtomicPtr<Stretch> = AtomicPtr::new(ptr::null_mut());

/// Expects that a file which is mapped at these addresses may become shorter.
pub fn expect_in(at: Range<usize>) -> io::Result<()> {
    static HANDLER: Once = Once::new();
    // SAFETY: sysconf(3) takes a number, and knows this one.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let mut next = STRETCHES.load(Ordering::Acquire);
    let stretch = Box::into_raw(Box::new(Stretch { at, page, next }));
    loop {
        match STRETCHES.compare_exchange(next, stretch, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => break,
            Err(other) => next = other,
        }
        // SAFETY: it is in nobody else's hands until the exchange succeeds.
        unsafe { (*stretch).next = next };
    }
    let mut result = Ok(());
    HANDLER.call_once(|| result = install_handler());
    result
}

fn install_handler() -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = put_zeros;
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler only does what is allowed in one (signal-safety(7)): it reads atomics and what is never
    // changed once it is in the list, and makes system calls.
    match unsafe { libc::sigaction(libc::SIGBUS, &action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Puts a page of zeros where one of a file was, and has the access made again. Any other SIGBUS ends the process: no
/// thread may change back what the signal does once it has a filter of system calls.
extern "C" fn put_zeros(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: with SA_SIGINFO the kernel gives a valid one, and SIGBUS has an address.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    let mut next = STRETCHES.load(Ordering::Acquire);
    // SAFETY: what is in the list stays there, and is never changed.
    while let Some(stretch) = unsafe { next.as_ref() } {
        if code == libc::BUS_ADRERR && stretch.at.contains(&address) {
            let page = address / stretch.page * stretch.page;
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
            // SAFETY: the page lies in guest memory, which is reached through volatile accesses only.
            let mapped =
                unsafe { libc::mmap(page as *mut _, stretch.page, protection, flags, -1, 0) };
            if mapped != libc::MAP_FAILED {
                return;
            }
        }
        next = stretch.next;
    }
    // SAFETY: ends the process.
    unsafe { libc::_exit(128 + signal) };
}
