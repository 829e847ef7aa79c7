//! The side of the control socket that asks.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use std::{fs::File, io};

use protocol::FrameError;
use rustix::pipe::{PipeFlags, pipe_with};

use super::detach_keys::DetachKeys;
use super::error::SupervisorError;
use super::message::{Reply, Request};
use super::socket::{self, MAX_DESCRIPTORS};
use crate::connection::Connection;
use crate::container::Container;
use crate::conversation::Signals;
use crate::vm::with_signals;
use host::pump::{Sink, copy, write_all};
use host::terminal::{self, Raw};

/// A connection to a running container's supervisor.
pub struct Client(Connection);

/// How a session ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// The process ended with this status.
    Exited(u8),
    /// The person left, and it goes on.
    Detached,
}

impl Client {
    /// Connects. A container that does not run has no supervisor.
    pub fn connect(container: &Container) -> Result<Self, SupervisorError> {
        let state = container.state()?;
        let control = state.control.ok_or(SupervisorError::NotRunning)?;
        let stream = match socket::connect(&control) {
            Ok(stream) => stream,
            // It has ended since.
            Err(_) if container.state()?.control.is_none() => {
                return Err(SupervisorError::NotRunning);
            }
            Err(source) => {
                let supervisor = state.supervisor.unwrap_or_default();
                return Err(SupervisorError::Unreachable { supervisor, source });
            }
        };
        // When it has ended just now, its address is free for everybody.
        let owner = container.owner()?;
        match socket::peer(&stream)? {
            user if user == owner => Ok(Self(Connection::new(stream, MAX_DESCRIPTORS))),
            user => Err(SupervisorError::Stranger(user)),
        }
    }

    /// Asks for something, and waits for the answer.
    pub fn ask(
        mut self,
        request: &Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<Reply, SupervisorError> {
        self.say(request, descriptors)?;
        self.reply()
    }

    /// The same, but the answer must come within this time.
    pub fn ask_within(
        self,
        patience: Duration,
        request: &Request,
    ) -> Result<Reply, SupervisorError> {
        self.0.set_patience(Some(patience))?;
        self.ask(request, &[]).map_err(|error| match error {
            SupervisorError::Lost(FrameError::Io(error))
                if error.kind() == io::ErrorKind::WouldBlock =>
            {
                SupervisorError::NoAnswer(patience.as_secs())
            }
            error => error,
        })
    }

    /// Asks for something whose answer is that it is done.
    pub fn request(
        self,
        request: &Request,
        with: &[BorrowedFd<'_>],
    ) -> Result<(), SupervisorError> {
        match self.ask(request, with)? {
            Reply::Done => Ok(()),
            _ => Err(SupervisorError::Unexpected),
        }
    }

    /// `Exec` of a process whose output nobody wants to see: waits until it runs.
    pub fn leave(mut self, request: &Request) -> Result<(), SupervisorError> {
        let null = File::options().write(true).open("/dev/null")?;
        self.say(request, &[null.as_fd(), null.as_fd()])?;
        match self.reply()? {
            Reply::Started => Ok(()),
            _ => Err(SupervisorError::Unexpected),
        }
    }

    /// `Attach` or `Exec` with this process's streams, which are copied here: when this process dies, however, its ends
    /// close. With a terminal, keys go through as they are, but for docker's Ctrl-P Ctrl-Q, which leaves.
    pub fn session(
        mut self,
        request: &Request,
        stdin: bool,
        has_terminal: bool,
    ) -> Result<End, SupervisorError> {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from);
        let ((stdout, to_stdout), (stderr, to_stderr)) = (pipe()?, pipe()?);
        let (from_stdin, to_process) = pipe()?;
        let signals = Signals::catch()?;
        let with = [to_stdout.as_fd(), to_stderr.as_fd(), from_stdin.as_fd()];
        self.say(request, if stdin { &with } else { &with[..2] })?;
        drop((to_stdout, to_stderr, from_stdin));
        match self.reply()? {
            Reply::Started => {}
            _ => return Err(SupervisorError::Unexpected),
        }
        let typed = stdin && has_terminal && terminal::is_typed_in();
        let raw = typed.then(Raw::enter).transpose().map_err(SupervisorError::Terminal)?;
        let outputs = [
            show(stdout, io::stdout().as_fd().try_clone_to_owned()?)?,
            show(stderr, io::stderr().as_fd().try_clone_to_owned()?)?,
        ];
        let detached = Arc::new(AtomicBool::new(false));
        if stdin {
            let (line, detached) = (self.0.try_clone()?, Arc::clone(&detached));
            let keys = typed.then(DetachKeys::default);
            let mut typing = Typing { process: to_process, keys, leaves: false };
            thread::Builder::new().name("input".into()).spawn(move || {
                copy(io::stdin(), &mut typing, None);
                if typing.leaves {
                    detached.store(true, Ordering::SeqCst);
                    line.hang_up();
                }
            })?;
        }
        let line = self.0.try_clone()?;
        if has_terminal && let Some(size) = terminal::size() {
            line.send(&Request::Resize(size), &[])?;
        }
        let pass_on = |number| {
            let request = match i32::from(number) {
                libc::SIGWINCH => terminal::size().filter(|_| has_terminal).map(Request::Resize),
                _ => Some(Request::Signal(number)),
            };
            // The supervisor's end shows where the answer is awaited.
            request.map(|request| line.send(&request, &[]));
        };
        let reply = with_signals(&signals, pass_on, || self.reply())?;
        let end = match reply {
            _ if detached.load(Ordering::SeqCst) => return Ok(End::Detached),
            Ok(Reply::Exited(status)) => End::Exited(status),
            Ok(_) => return Err(SupervisorError::Unexpected),
            Err(error) => return Err(error),
        };
        for output in outputs {
            // It copied what it could.
            let _ = output.join();
        }
        drop(raw);
        Ok(end)
    }

    fn say(&mut self, request: &Request, with: &[BorrowedFd<'_>]) -> Result<(), SupervisorError> {
        self.0.send(request, with).map_err(|error| match error {
            // It was refused before it was heard, perhaps.
            FrameError::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                match self.reply() {
                    Err(refused @ SupervisorError::Refused { .. }) => refused,
                    _ => FrameError::Io(error).into(),
                }
            }
            error => error.into(),
        })
    }

    fn reply(&mut self) -> Result<Reply, SupervisorError> {
        match self.0.receive()? {
            Reply::Failed { message, status } => Err(SupervisorError::Refused { message, status }),
            reply => Ok(reply),
        }
    }
}

/// Copies output until either side ends.
fn show(source: OwnedFd, mut sink: OwnedFd) -> io::Result<thread::JoinHandle<()>> {
    // A reader that left is what ends it early, and the process learns it from its own pipe.
    let body = move || copy(&source, &mut sink, None);
    thread::Builder::new().name("output".into()).spawn(body)
}

/// What a person types, on its way to the process. It is not asked whether anybody reads it: who can't be told anything any
/// more can still be left.
struct Typing {
    process: OwnedFd,
    /// At a terminal.
    keys: Option<DetachKeys>,
    /// The person wants to leave.
    leaves: bool,
}

impl Sink for Typing {
    fn take(&mut self, typed: &[u8]) -> io::Result<()> {
        let Some(keys) = &mut self.keys else { return write_all(self.process.as_fd(), typed) };
        match keys.filter(typed) {
            Some(rest) => write_all(self.process.as_fd(), &rest),
            None => {
                self.leaves = true;
                Err(io::ErrorKind::Interrupted.into())
            }
        }
    }
}
