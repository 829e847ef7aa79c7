//! The process's last words when a filter refuses a call.
//!
//! The kernel does not carry out the call, and sends SIGSYS to the thread that made it. The handler can't be replaced
//! (`rt_sigaction` is in no table); a thread that can't take the signal is killed (`force_sig_info_to_task` in
//! linux/kernel/signal.c). An intruder who changes what the handler finds in memory may keep it from ending the process, and
//! still has not got what they asked for.

use std::fmt::{self, Write};
use std::io;
use std::mem::MaybeUninit;
use std::panic::{self, PanicHookInfo};
use std::ptr;

use libc::{c_int, c_void, siginfo_t};

use super::{Thread, compiled, own};

/// The status of a process that ended because a call was refused: as if by SIGKILL, as a filter does that says nothing.
pub const REFUSED: c_int = 128 + libc::SIGKILL;
/// The status after a panic: as if by SIGABRT.
const PANICKED: c_int = 128 + libc::SIGABRT;

/// `siginfo_t` as it comes with SIGSYS (`_sigsys` in asm-generic/siginfo.h).
#[repr(C)]
struct Refusal {
    signal: c_int,
    /// `SECCOMP_RET_DATA`: the thread's kind.
    data: c_int,
    code: c_int,
    /// The instruction behind the call.
    address: *mut c_void,
    call: c_int,
    architecture: u32,
}

/// Why a filter sends SIGSYS (asm-generic/siginfo.h).
const SYS_SECCOMP: c_int = 1;

/// Has SIGSYS end the process with a word. SIGSEGV ends it without one: the standard library's handler would make calls
/// that are refused, and hide the fault behind them.
pub(super) fn install_handlers() -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = refused;
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    let mut set = MaybeUninit::uninit();
    // SAFETY: the calls take pointers to valid sets and actions, of which `sigemptyset` makes one, and don't keep them. The
    // handler only does what is allowed in one (signal-safety(7)).
    unsafe {
        libc::sigfillset(&raw mut action.sa_mask);
        if libc::sigaction(libc::SIGSYS, &action, ptr::null_mut()) != 0
            || libc::signal(libc::SIGSEGV, libc::SIG_DFL) == libc::SIG_ERR
        {
            return Err(io::Error::last_os_error());
        }
        // Whoever started this program may have blocked it; the kernel would kill without a word.
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGSYS);
        match libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), ptr::null_mut()) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

extern "C" fn refused(_signal: c_int, info: *mut siginfo_t, _context: *mut c_void) {
    // SAFETY: with SA_SIGINFO the kernel gives a valid one, which is at least as long.
    let info = unsafe { &*info.cast::<Refusal>() };
    if info.code == SYS_SECCOMP {
        let mut line = Line::default();
        // A line that is cut short says enough.
        let _ = describe(&mut line, info.call.cast_unsigned(), info.data);
        end(&line, REFUSED);
    }
    // SAFETY: ends the process.
    unsafe { libc::_exit(128 + libc::SIGSYS) }
}

/// `bulkhead-vmm: system call 59 (execve) in thread vcpu was refused`.
fn describe(line: &mut Line, call: u32, thread: c_int) -> fmt::Result {
    write!(line, "bulkhead-vmm: system call {call}")?;
    if let Some((_, name)) = compiled::NAMES.iter().find(|(number, _)| *number == call) {
        write!(line, " ({name})")?;
    }
    let thread = Thread::ALL.into_iter().find(|kind| *kind as c_int == thread);
    writeln!(line, " in thread {} was refused", thread.map_or("?", Thread::name))
}

/// A panic ends the process with one line, whichever thread it is in. The standard library's report would look for files.
pub(super) fn end_on_panic() {
    panic::set_hook(Box::new(|panic| {
        let mut line = Line::default();
        let _ = describe_panic(&mut line, panic);
        end(&line, PANICKED)
    }));
}

/// `bulkhead-vmm: a fault in src/machine.rs:17, thread vcpu: index out of bounds`.
fn describe_panic(line: &mut Line, panic: &PanicHookInfo<'_>) -> fmt::Result {
    write!(line, "bulkhead-vmm: a fault")?;
    if let Some(place) = panic.location() {
        write!(line, " in {}:{}", place.file(), place.line())?;
    }
    write!(line, ", thread {}:", own().map_or("main", Thread::name))?;
    for part in panic.payload_as_str().unwrap_or("of an unknown kind").lines() {
        write!(line, " {part}")?;
    }
    writeln!(line)
}

/// Says a last line, and ends the process.
fn end(line: &Line, status: c_int) -> ! {
    // Past the standard library's lock, which the thread may hold. Who does not listen, does not.
    let _ = rustix::io::write(rustix::stdio::stderr(), line.text());
    // SAFETY: ends the process, past the standard library's and the C library's last acts.
    unsafe { libc::_exit(status) }
}

/// A line that is written without asking for memory.
struct Line {
    bytes: [u8; 512],
    length: usize,
}

impl Default for Line {
    fn default() -> Self {
        Line { bytes: [0; 512], length: 0 }
    }
}

impl Line {
    /// What was written, with an end whatever was cut off, and no other.
    fn text(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            // The last place is the end's.
            if self.length >= self.bytes.len() - usize::from(byte != b'\n') {
                self.bytes[self.length - 1] = b'\n';
                return Err(fmt::Error);
            }
            self.bytes[self.length] = byte;
            self.length += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_call_and_the_thread() {
        let text = |call, thread| {
            let mut line = Line::default();
            describe(&mut line, call, thread).unwrap();
            String::from_utf8(line.text().to_vec()).unwrap()
        };
        let execve = libc::SYS_execve as u32;
        assert_eq!(
            text(execve, Thread::Vcpu as c_int),
            format!("bulkhead-vmm: system call {execve} (execve) in thread vcpu was refused\n")
        );
        assert_eq!(text(9999, 0), "bulkhead-vmm: system call 9999 in thread ? was refused\n");
    }

    #[test]
    fn a_line_that_is_too_long_still_ends() {
        let mut line = Line::default();
        assert!(line.write_str(&"x".repeat(2000)).is_err());
        assert!(line.text().ends_with(b"xx\n") && line.text().len() < 513);
    }
}
