//! A filter of system calls for each kind of thread.
//!
//! The tables `vcpu`, `disk` and `event_loop` say what a thread may ask for, and why; `build.rs` compiles them, so that all
//! that is done at run time is one system call a thread. Whatever is not in a thread's table is never carried out: what is
//! in `never` kills the process ([`Thread`]'s filter answers `SECCOMP_RET_KILL_PROCESS`), all else is refused, and ends
//! it with a word ([`refused`]).
//!
//! The threads put theirs on as their first act, and the main thread when all have, as the last thing before the guest's
//! first instruction ([`roll_call`]).

pub mod refused;
pub mod roll_call;
mod thread;

#[cfg(test)]
mod calls;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod event_loop;
#[cfg(test)]
mod never;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vcpu;

use std::cell::Cell;
use std::io;

use libc::sock_filter;

pub use roll_call::{Member, RollCall};
pub use thread::Thread;

/// The filters, and the names of calls by their numbers.
mod compiled {
    include!(concat!(env!("OUT_DIR"), "/filters.rs"));
}

/// Stands in a filter for the number of this process (`table::OWN_PROCESS`).
const OWN_PROCESS: u32 = 0xffff_fffe;

impl Thread {
    /// All of them.
    pub const ALL: [Thread; 3] = [Thread::Vcpu, Thread::Disk, Thread::EventLoop];

    /// As a person reads it.
    pub fn name(self) -> &'static str {
        match self {
            Thread::Vcpu => "vcpu",
            Thread::Disk => "disk",
            Thread::EventLoop => "event loop",
        }
    }
}

thread_local! {
    /// The filter that the thread has.
    static OWN: Cell<Option<Thread>> = const { Cell::new(None) };
}

/// The filter that the calling thread has.
pub(crate) fn own() -> Option<Thread> {
    OWN.get()
}

/// The filter of a kind of thread, in this process.
fn program(thread: Thread) -> Vec<sock_filter> {
    let mut program = match thread {
        Thread::Vcpu => compiled::VCPU.to_vec(),
        Thread::Disk => compiled::DISK.to_vec(),
        Thread::EventLoop => compiled::EVENT_LOOP.to_vec(),
    };
    for operation in &mut program {
        if operation.k == OWN_PROCESS {
            operation.k = std::process::id();
        }
    }
    program
}

/// Puts a filter on the calling thread. It can't be taken off.
fn put_on(thread: Thread) -> io::Result<()> {
    let mut program = program(thread);
    let description = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // Noted before: to note it may need what the filter forbids.
    OWN.set(Some(thread));
    // SAFETY: seccomp(2) reads `description` and the program that it points to, and keeps a copy.
    let result = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const description)
    };
    match result {
        0 => Ok(()),
        _ => {
            let error = io::Error::last_os_error();
            OWN.set(None);
            Err(error)
        }
    }
}
