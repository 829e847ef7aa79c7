//! The guest's half of the conversation, from the first Hello to the host's goodbye.
//!
//! The main thread does what the host says, one thing after the other; only copies, which take their time, have threads
//! of their own. Each process has a thread that waits for its end, and two or three that pump its streams.

mod process;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::Receiver;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};

use protocol::{
    ByteString, Clock, ExitStatus, FrameError, FrameReader, Hello, HelloError, Setup, Start,
    Statistics, Stream, TerminalSize, ToGuest, ToHost, read_message, write_message,
};

use crate::error::{During, StartError};
use crate::link::{Connect, open};
use crate::log::log;
use process::Process;

/// What a conversation is about: the machine that PID 1 has, or in a test processes of the test. Several threads use it.
pub trait Guest: Sync {
    /// Gets the image ready.
    fn mount(&self) -> Result<(), StartError>;
    /// Gets the container ready. Then processes may be started.
    fn set_up(&self, setup: &Setup) -> Result<(), StartError>;
    /// Starts a process. Without a terminal it gets the `pipes`: stdin, stdout, stderr.
    fn start(&self, start: &Start, pipes: Option<[OwnedFd; 3]>) -> Result<Child, StartError>;
    /// Kills every process of the container, and waits until they are gone.
    fn end_everything(&self);
    /// Whether the kernel has killed a process of the container for want of memory.
    fn ran_out_of_memory(&self) -> bool;
    /// Lets no process of the container run.
    fn freeze(&self) -> Result<(), StartError>;
    /// Lets them run again, at this time.
    fn thaw(&self, clock: Clock) -> Result<(), StartError>;
    /// What the container uses.
    fn statistics(&self) -> Result<Statistics, StartError>;
    /// Writes `path` of the container to `stream`, as a tar archive.
    fn copy_out(&self, path: &ByteString, stream: File) -> Result<(), StartError>;
    /// Unpacks the tar archive that comes from `stream` in the folder `path` of the container.
    fn copy_in(&self, path: &ByteString, stream: File) -> Result<(), StartError>;
}

/// A process as whoever started it has it.
pub struct Child {
    /// Its number inside the guest.
    pub pid: u32,
    /// A pidfd: where signals go.
    pub handle: OwnedFd,
    /// The controlling side of its terminal, if it has one.
    pub terminal: Option<OwnedFd>,
    /// Says once how it ended.
    pub end: Receiver<ExitStatus>,
}

/// Why the conversation broke off. There is nobody to tell but the console.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// No host there, or it went away.
    #[error("host, {stream:?} stream: {error}")]
    Host {
        /// On which stream.
        stream: Stream,
        /// What happened.
        error: FrameError,
    },
    /// The host's greeting.
    #[error("host: {0}")]
    Hello(#[from] HelloError),
    /// Anything but Setup after Ready, or Setup again.
    #[error("host: sent {0} when it was not its turn")]
    Order(&'static str),
}

/// How serving ended, if the host is still there to hear of it.
enum Failure {
    Start(StartError),
    Session(SessionError),
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

fn on(stream: Stream) -> impl FnOnce(FrameError) -> SessionError {
    move |error| SessionError::Host { stream, error }
}

/// Serves the container, and returns when the host has taken everything, or is gone: power may go off.
///
/// There is no time limit on the host's goodbye: it comes when the last byte of output found its reader, who may be
/// slow. A host that dies closes the connection too.
pub fn run(host: &(impl Connect + Sync), guest: &impl Guest) -> Result<(), SessionError> {
    let mut control = open(host, &Hello::new(Stream::Control)).map_err(on(Stream::Control))?;
    let key = match begin(&mut control, guest) {
        Ok(key) => key,
        Err(Failure::Session(error)) => return Err(error),
        Err(Failure::Start(error)) => {
            log(&error);
            write_message(&mut control, &failed(0, &error)).map_err(on(Stream::Control))?;
            while read_message::<ToGuest>(&mut control).is_ok() {}
            return Ok(());
        }
    };
    let commands = control.try_clone().map_err(|error| on(Stream::Control)(error.into()))?;
    let session = Session {
        host,
        guest,
        key,
        control: Mutex::new(control),
        processes: Mutex::default(),
        one_less: Condvar::new(),
    };
    std::thread::scope(|scope| {
        let result = session.obey(commands, scope);
        // Nobody wants the container any more; after its end there is nothing to kill.
        guest.end_everything();
        let first_ended = session.lock().get(&0).is_none_or(|first| first.has_ended());
        match result {
            Err(SessionError::Host { error: FrameError::Closed, .. }) if first_ended => Ok(()),
            result => result,
        }
    })
}

/// Up to Setup; its key.
fn begin(control: &mut File, guest: &impl Guest) -> Result<ByteString, Failure> {
    guest.mount()?;
    write_message(control, &ToHost::Ready).map_err(on(Stream::Control))?;
    let greeting = match FrameReader::default().read(control) {
        Ok(Some(greeting)) => greeting,
        Ok(None) => {
            let error = io::Error::from(io::ErrorKind::WouldBlock);
            return Err(on(Stream::Control)(error.into()).into());
        }
        Err(error) => return Err(on(Stream::Control)(error).into()),
    };
    Hello::check(&greeting).map_err(SessionError::from)?;
    match read_message(control).map_err(on(Stream::Control))? {
        ToGuest::Setup(setup) => {
            setup.setting.check().map_err(StartError::from)?;
            setup.network.check().map_err(StartError::from)?;
            guest.set_up(&setup)?;
            Ok(setup.key)
        }
        other => Err(SessionError::Order(name(&other)).into()),
    }
}

/// A conversation under way.
struct Session<'a, H, G> {
    host: &'a H,
    guest: &'a G,
    /// [`Setup::key`].
    key: ByteString,
    control: Mutex<File>,
    /// Those that were started and whose ends have not been told.
    processes: Mutex<HashMap<u32, Process>>,
    /// The end of a process was told.
    one_less: Condvar,
}

impl<H: Connect + Sync, G: Guest> Session<'_, H, G> {
    /// Does what the host says, until it closes control.
    fn obey<'scope>(
        &'scope self,
        mut commands: File,
        scope: &'scope Scope<'scope, '_>,
    ) -> Result<(), SessionError> {
        let mut frozen = false;
        loop {
            match read_message(&mut commands).map_err(on(Stream::Control))? {
                message @ ToGuest::Setup(_) => return Err(SessionError::Order(name(&message))),
                ToGuest::Start(start) => {
                    let number = start.number;
                    let started =
                        if frozen { Err(StartError::Frozen) } else { self.start(&start, scope) };
                    if let Err(error) = started {
                        log(&error);
                        self.send(&failed(number, &error));
                    }
                }
                ToGuest::Signal { process, number } => {
                    let sent = self.lock().get(&process).map(|process| process.signal(number));
                    if let Some(Err(error)) = sent {
                        log(format_args!("signal {number} to process {process}: {error}"));
                    }
                }
                ToGuest::Resize { process, size } => {
                    if let Some(process) = self.lock().get(&process) {
                        process.resize(size);
                    }
                }
                ToGuest::Freeze => {
                    let result = self.guest.freeze();
                    frozen |= result.is_ok();
                    self.answer(result.map(|()| ToHost::Frozen));
                }
                ToGuest::Thaw { clock } => {
                    let result = self.guest.thaw(clock);
                    frozen &= result.is_err();
                    self.answer(result.map(|()| ToHost::Thawed));
                }
                ToGuest::Statistics => {
                    let statistics = self.guest.statistics().map(Box::new);
                    self.answer(statistics.map(ToHost::Statistics));
                }
                ToGuest::CopyOut { transfer, .. } | ToGuest::CopyIn { transfer, .. } if frozen => {
                    let message = StartError::Frozen.to_string();
                    self.send(&ToHost::CopyFailed { transfer, message });
                }
                ToGuest::CopyOut { transfer, path } => {
                    self.copy(transfer, scope, move |guest, stream| guest.copy_out(&path, stream));
                }
                ToGuest::CopyIn { transfer, path } => {
                    self.copy(transfer, scope, move |guest, stream| guest.copy_in(&path, stream));
                }
            }
        }
    }

    fn copy<'scope>(
        &'scope self,
        transfer: u32,
        scope: &'scope Scope<'scope, '_>,
        work: impl FnOnce(&G, File) -> Result<(), StartError> + Send + 'scope,
    ) {
        let body = move || {
            let stream = Stream::Transfer { transfer };
            let result = self.open(stream).and_then(|stream| {
                let copy = stream.try_clone().during("duplicate a stream")?;
                work(self.guest, copy)?;
                process::linger(stream);
                Ok(())
            });
            self.send(&match result {
                Ok(()) => ToHost::Copied { transfer },
                Err(error) => ToHost::CopyFailed { transfer, message: error.to_string() },
            });
        };
        if let Err(error) = Builder::new().name("copy".into()).spawn_scoped(scope, body) {
            self.send(&ToHost::CopyFailed { transfer, message: error.to_string() });
        }
    }

    fn answer(&self, answer: Result<ToHost, StartError>) {
        self.send(&answer.unwrap_or_else(|error| ToHost::Failed { message: error.to_string() }));
    }

    /// Tells the host. That it is gone is found by reading.
    fn send(&self, message: &ToHost) {
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = write_message(&mut *control, message);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Process>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(process: u32, error: &StartError) -> ToHost {
    ToHost::StartFailed { process, kind: error.kind(), message: error.to_string() }
}

fn name(message: &ToGuest) -> &'static str {
    match message {
        ToGuest::Setup(_) => "setup",
        ToGuest::Start(_) => "start",
        ToGuest::Signal { .. } => "signal",
        ToGuest::Resize { .. } => "resize",
        ToGuest::Freeze => "freeze",
        ToGuest::Thaw { .. } => "thaw",
        ToGuest::Statistics => "statistics",
        ToGuest::CopyOut { .. } => "copy-out",
        ToGuest::CopyIn { .. } => "copy-in",
    }
}

/// TIOCSWINSZ's argument.
fn window_size(size: TerminalSize) -> rustix::termios::Winsize {
    rustix::termios::Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 }
}
