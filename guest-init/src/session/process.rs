//! One process in the conversation: its streams, its end.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use protocol::{ExitStatus, Hello, Start, Stream, TerminalSize, ToHost};
use rustix::net::Shutdown;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, pidfd_send_signal};

use super::{Child, Guest, Session, window_size};
use crate::error::{During, StartError};
use crate::link::{Connect, open};
use crate::pump::{pump, pump_until};

/// What the conversation needs of a process that runs, or whose end is being told.
pub(super) struct Process {
    handle: OwnedFd,
    terminal: Option<OwnedFd>,
    ended: bool,
}

impl Process {
    /// pidfd_send_signal(2) with a bare number: rustix's `Signal` has none of the real-time ones. That the process has ended
    /// meanwhile is no error.
    pub(super) fn signal(&self, number: u8) -> io::Result<()> {
        let (handle, number) = (self.handle.as_raw_fd(), libc::c_int::from(number));
        let information = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: a system call on numbers; without a siginfo_t the kernel makes that of kill(2).
        let result =
            unsafe { libc::syscall(libc::SYS_pidfd_send_signal, handle, number, information, 0) };
        if result == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(libc::ESRCH) { Ok(()) } else { Err(error) }
    }

    /// Without a terminal there is nothing to do.
    pub(super) fn resize(&self, size: TerminalSize) {
        if let Some(terminal) = &self.terminal {
            let _ = rustix::termios::tcsetwinsize(terminal, window_size(size));
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }
}

/// The guest's ends of a process's streams, and what they are connected to.
struct Wires {
    stdin: Option<(File, OwnedFd)>,
    /// Standard output and standard error, or what the terminal shows.
    outputs: Vec<(OwnedFd, File)>,
}

impl<H: Connect + Sync, G: Guest> Session<'_, H, G> {
    /// Starts a process, and the threads that look after it.
    pub(super) fn start<'scope>(
        &'scope self,
        start: &Start,
        scope: &'scope Scope<'scope, '_>,
    ) -> Result<(), StartError> {
        start.process.check()?;
        let process = start.number;
        // The host hears of no stream of a process that there is not.
        let (child, pipes) = match start.terminal {
            Some(_) => (self.guest.start(start, None)?, None),
            None => {
                let (stdin, stdin_pipe) = pipe()?;
                let (stdout_pipe, stdout) = pipe()?;
                let (stderr_pipe, stderr) = pipe()?;
                let child = self.guest.start(start, Some([stdin, stdout, stderr]))?;
                (child, Some([stdin_pipe, stdout_pipe, stderr_pipe]))
            }
        };
        let wires = self.connect(start, &child, pipes).inspect_err(|_| {
            // Nobody would ever hear of it.
            let _ = pidfd_send_signal(&child.handle, Signal::KILL);
        })?;
        let Child { pid, handle, terminal, end } = child;
        self.lock().insert(process, Process { handle, terminal, ended: false });
        let body = move || {
            self.send(&ToHost::Started { process, pid });
            let status = self.follow(process, wires, || {
                // The sender lives as long as the process.
                end.recv().unwrap_or(ExitStatus::Signal(9))
            });
            self.tell_end(process, status);
        };
        // Without the thread the host has heard of nothing but a failed start, and so it shall be.
        thread(scope, &format!("process {process}"), body).map(drop).inspect_err(|_| {
            self.kill(process);
            self.lock().remove(&process);
            self.one_less.notify_all();
        })
    }

    /// Ends what nobody looks after: a process that runs on unseen would be worse.
    fn kill(&self, process: u32) {
        if process == 0 {
            self.guest.end_everything();
        } else if let Some(process) = self.lock().get(&process) {
            let _ = process.signal(libc::SIGKILL as u8);
        }
    }

    /// Opens the streams of a process, each beside what it is to be connected to.
    fn connect(
        &self,
        start: &Start,
        child: &Child,
        pipes: Option<[OwnedFd; 3]>,
    ) -> Result<Wires, StartError> {
        let process = start.number;
        let stdin = start.stdin.then(|| self.open(Stream::Stdin { process })).transpose()?;
        let stdout = self.open(Stream::Stdout { process })?;
        match (pipes, &child.terminal) {
            (Some([input, output, errors]), _) => {
                let stderr = self.open(Stream::Stderr { process })?;
                // Without a stream the pipe's end is closed at once, and that is the end of file.
                let stdin = stdin.map(|stream| (stream, input));
                Ok(Wires { stdin, outputs: vec![(output, stdout), (errors, stderr)] })
            }
            (None, Some(terminal)) => {
                let terminal = || terminal.try_clone().during("duplicate the terminal");
                let input = terminal()?;
                let stdin = stdin.map(|stream| (stream, input));
                Ok(Wires { stdin, outputs: vec![(terminal()?, stdout)] })
            }
            (None, None) => {
                let error = std::io::Error::from(std::io::ErrorKind::NotFound);
                Err(error).during("find the process's terminal")
            }
        }
    }

    /// Calls the host.
    pub(super) fn open(&self, stream: Stream) -> Result<File, StartError> {
        let connection = open(self.host, &Hello::with_key(stream, self.key.clone()));
        let connection = connection.map_err(|error| std::io::Error::other(error.to_string()));
        connection.during("call the host")
    }

    /// From its start until its output was sent.
    fn follow(
        &self,
        process: u32,
        wires: Wires,
        wait: impl FnOnce() -> ExitStatus,
    ) -> Result<(ExitStatus, Vec<File>), StartError> {
        let (ended, ends) = pipe()?;
        let ended = &ended;
        std::thread::scope(|scope| {
            if let Some((stream, sink)) = wires.stdin {
                // Not of this scope: what the host never sends is not waited for.
                let body = move || feed(&stream, sink);
                Builder::new().name("stdin".into()).spawn(body).during("start a thread")?;
            }
            let drains = wires.outputs.into_iter().map(|(source, stream)| {
                thread(scope, "output", move || {
                    pump_until(&source, &stream, ended);
                    let _ = rustix::net::shutdown(&stream, Shutdown::Write);
                    stream
                })
            });
            let drains: Vec<_> = drains.collect::<Result<_, _>>()?;
            let status = wait();
            if process == 0 {
                self.guest.end_everything();
            }
            // Others may hold the pipes: what the process itself has written is in them by now.
            drop(ends);
            let streams =
                drains.into_iter().filter_map(|drain: ScopedJoinHandle<_>| drain.join().ok());
            Ok((status, streams.collect()))
        })
    }

    /// The host hears of it: of the first process's end the last.
    fn tell_end(&self, process: u32, end: Result<(ExitStatus, Vec<File>), StartError>) {
        let (status, streams) = end.unwrap_or_else(|error| {
            crate::log(&error);
            self.kill(process);
            (ExitStatus::Signal(9), Vec::new())
        });
        let mut processes = self.lock();
        if process == 0 {
            while processes.len() > 1 {
                processes =
                    self.one_less.wait(processes).unwrap_or_else(|error| error.into_inner());
            }
        }
        let out_of_memory = self.guest.ran_out_of_memory();
        self.send(&ToHost::Exited { process, status, out_of_memory });
        if process == 0 {
            // Stays, so that nothing is started any more without being found.
            processes.entry(0).and_modify(|first| first.ended = true);
        } else {
            processes.remove(&process);
            self.one_less.notify_all();
        }
        drop(processes);
        streams.into_iter().for_each(linger);
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd), StartError> {
    pipe_with(PipeFlags::CLOEXEC).during("make a pipe")
}

fn thread<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    body: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, StartError> {
    let thread = Builder::new().name(name.into()).spawn_scoped(scope, body);
    thread.during(format!("start the thread of {name}"))
}

/// Host to process. A process that reads no more (or is gone) breaks the pipe, and that closes the stream.
fn feed(stream: &File, sink: OwnedFd) {
    pump(stream, &sink);
    // The end of file goes on to the process before the host is told: both are done with the other.
    drop(sink);
    let _ = rustix::net::shutdown(stream, Shutdown::Both);
}

/// Keeps a stream until the host has closed its end. Closing it at once would give the host eight seconds to take what is
/// on the way (VSOCK_CLOSE_TIMEOUT), and then throw it away.
pub(super) fn linger(stream: File) {
    let _ = rustix::net::shutdown(&stream, Shutdown::Write);
    let mut rest = [0; 64];
    while matches!(
        rustix::io::read(stream.as_fd(), &mut rest),
        Ok(1..) | Err(rustix::io::Errno::INTR)
    ) {}
}
