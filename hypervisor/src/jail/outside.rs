//! The outer process: waits, passes signals on, and ends as the VM does.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Resource, Rlimit, Signal, WaitId, WaitIdOptions, pidfd_send_signal, setrlimit, waitid,
};
use rustix::thread::set_name;

use super::JailError;
use super::descriptors::close_all_but;
use crate::console::Terminal;
use crate::event::signals::{ENDING, Signals, unblock};

/// What is read here. All else that ends this process ends the VM too.
const HEARD: [libc::c_int; 4] = [ENDING[0], ENDING[1], libc::SIGTSTP, libc::SIGCONT];

/// Its name in lists of processes: the VM's own is the program's.
const NAME: &std::ffi::CStr = c"bulkhead-jailer";

/// The outer process.
pub struct Outside {
    vm: OwnedFd,
    terminal: Option<Terminal>,
    signals: Signals,
    /// The VM was told to stand still.
    stopped: bool,
}

/// Hears what is to be passed on, from before there is anything that a signal could leave behind.
pub struct Hearing(Signals);

/// How the VM's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With a status.
    Exit(i32),
    /// By a signal.
    Signal(i32),
}

impl Hearing {
    /// From here on the signals wait: none is lost before there is somebody to pass it on to.
    pub fn new() -> Result<Hearing, JailError> {
        // SAFETY: sets a signal's default action. Whoever started this program may have had it ignored, and then nobody
        // would learn how a child ended (wait(2)).
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
        Ok(Hearing(Signals::of(&HEARD).map_err(JailError::at("signals"))?))
    }

    pub(super) fn of(self, vm: OwnedFd, terminal: Option<Terminal>) -> Outside {
        Outside { vm, terminal, signals: self.0, stopped: false }
    }
}

impl Outside {
    /// Waits for the VM's end. Closes all descriptors but those that this needs, stderr and `kept`: of what the
    /// others belonged to nothing is used any more.
    pub fn wait(mut self, kept: &[OwnedFd]) -> Result<Ended, JailError> {
        let mut open: Vec<_> = kept.iter().map(|kept| kept.as_raw_fd()).collect();
        open.extend(self.terminal.iter().map(|_| 0));
        open.extend([2, self.vm.as_raw_fd(), self.signals.as_fd().as_raw_fd()]);
        open.sort();
        close_all_but(&open).map_err(JailError::at("close_range"))?;
        // Whoever is called so has nothing else any more.
        set_name(NAME).map_err(JailError::at("the name of the outer process"))?;
        let ended = self.watch();
        if let Some(terminal) = &self.terminal {
            terminal.restore();
        }
        ended.map_err(JailError::at("wait for the VM's process"))
    }

    fn watch(&mut self) -> io::Result<Ended> {
        loop {
            let mut fds =
                [PollFd::new(&self.vm, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
            match poll(&mut fds, None) {
                Err(rustix::io::Errno::INTR) => continue,
                result => result?,
            };
            let ended = !fds[0].revents().is_empty();
            while let Some(came) = self.signals.next() {
                self.pass_on(came.signal, came.by_kernel);
            }
            if ended {
                return self.how();
            }
        }
    }

    /// A VM's process that has no terminal, or is PID 1 of its namespace, would not hear them.
    fn pass_on(&mut self, signal: libc::c_int, by_kernel: bool) {
        match signal {
            libc::SIGTSTP => {
                self.send(Signal::STOP);
                self.stopped = true;
                if by_kernel {
                    // A key: the shell waits for this process to stop, and lets it go on by SIGCONT.
                    // SAFETY: stops this process, no more.
                    unsafe { libc::raise(libc::SIGSTOP) };
                }
            }
            libc::SIGCONT => self.go_on(),
            _ => {
                self.send(if signal == libc::SIGINT { Signal::INT } else { Signal::TERM });
                // One that stands still does not hear it.
                self.go_on();
            }
        }
    }

    fn go_on(&mut self) {
        if std::mem::take(&mut self.stopped) {
            self.send(Signal::CONT);
        }
    }

    fn send(&self, signal: Signal) {
        // It may have ended in this moment.
        let _ = pidfd_send_signal(&self.vm, signal);
    }

    fn how(&self) -> io::Result<Ended> {
        let status = loop {
            match waitid(WaitId::PidFd(self.vm.as_fd()), WaitIdOptions::EXITED) {
                Err(rustix::io::Errno::INTR) => {}
                result => break result?,
            }
        };
        let status = status.ok_or(io::ErrorKind::InvalidData)?;
        let signal = status.terminating_signal().map(Ended::Signal);
        let ended = signal.or_else(|| status.exit_status().map(Ended::Exit));
        Ok(ended.ok_or(io::ErrorKind::InvalidData)?)
    }
}

impl Ended {
    /// Ends this process likewise.
    pub fn repeat(self) -> ! {
        let signal = match self {
            Ended::Exit(status) => process::exit(status),
            Ended::Signal(signal) => signal,
        };
        // Of this process there is nothing to see.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
        let _ = unblock(&[signal]);
        // SAFETY: the signal gets its default action, and ends this process.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
        // PID 1 of a container is ended by no signal of its own.
        process::exit(128 + signal)
    }
}
