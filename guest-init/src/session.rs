//! The guest's half of the conversation, from the first Hello to the host's goodbye.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::{Builder, JoinHandle};

use protocol::{
    ExitStatus, FrameError, FrameReader, Hello, HelloError, Start, Stream, ToGuest, ToHost,
    read_message, write_message,
};
use rustix::net::Shutdown;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::error::{During, StartError};
use crate::link::{Connect, open};
use crate::log::log;
use crate::pump::pump;

/// What a conversation is about: the machine that PID 1 has, or in a test a process of the test.
pub trait Guest {
    /// Gets the image ready. Then a process may be started.
    fn mount(&mut self) -> Result<(), StartError>;
    /// Starts the process on three pipes: stdin, stdout, stderr.
    fn start(&mut self, start: &Start, stdio: [OwnedFd; 3]) -> Result<Pid, StartError>;
    /// Waits until the process has ended and nothing that it started is left.
    fn wait(&mut self, pid: Pid) -> ExitStatus;
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
    /// Anything but Start after Ready.
    #[error("host: sent a signal before a process to start")]
    Order,
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

/// Serves one process, and returns when the host has taken everything, or is gone: power may go off.
///
/// There is no time limit on the host's goodbye: it comes when the last byte of output found its reader, who may be
/// slow. A host that dies closes the connection too.
pub fn run(host: &impl Connect, guest: &mut impl Guest) -> Result<(), SessionError> {
    let mut control = open(host, Stream::Control).map_err(on(Stream::Control))?;
    match serve(&mut control, host, guest) {
        Ok(Ended { status, output: _open_until_the_host_is_done, obedience }) => {
            write_message(&mut control, &ToHost::Exited { status }).map_err(on(Stream::Control))?;
            // Its thread reads control until the host closes it. It does not panic, and if so there is nothing to add.
            let _ = obedience.join();
        }
        Err(Failure::Session(error)) => return Err(error),
        Err(Failure::Start(error)) => {
            log(&error);
            let message = ToHost::StartFailed { kind: error.kind(), message: error.to_string() };
            write_message(&mut control, &message).map_err(on(Stream::Control))?;
            while read_message::<ToGuest>(&mut control).is_ok() {}
        }
    }
    Ok(())
}

/// What is left when the process and its output have ended.
struct Ended {
    status: ExitStatus,
    /// stdout and stderr, shut down. Closing them would give the host eight seconds to take what is on the way
    /// (VSOCK_CLOSE_TIMEOUT), and then throw it away.
    output: [File; 2],
    obedience: JoinHandle<()>,
}

fn serve(
    control: &mut File,
    host: &impl Connect,
    guest: &mut impl Guest,
) -> Result<Ended, Failure> {
    guest.mount()?;
    write_message(control, &ToHost::Ready).map_err(on(Stream::Control))?;
    let start = receive_start(control)?;
    start.process.check().map_err(StartError::from)?;

    let [stdin, stdout, stderr] = [Stream::Stdin, Stream::Stdout, Stream::Stderr]
        .map(|stream| open(host, stream).map_err(|error| Failure::from(on(stream)(error))));
    let (stdin, stdout, stderr) = (stdin?, stdout?, stderr?);
    let (process_stdin, stdin_pipe) = pipe()?;
    let (stdout_pipe, process_stdout) = pipe()?;
    let (stderr_pipe, process_stderr) = pipe()?;
    let pid = guest.start(&start, [process_stdin, process_stdout, process_stderr])?;
    // Nothing reaps the process before `wait`: the number is still its own.
    let handle = pidfd_open(pid, PidfdFlags::empty()).during("open a handle on the process")?;

    let pid_number = pid.as_raw_nonzero().get().unsigned_abs();
    write_message(control, &ToHost::Started { pid: pid_number }).map_err(on(Stream::Control))?;
    let commands = control.try_clone().during("duplicate the control stream")?;
    let obedience = thread("control", move || obey(commands, &handle))?;
    thread("stdin", move || feed(&stdin, stdin_pipe))?;
    let stdout = thread("stdout", move || drain(stdout_pipe, stdout))?;
    let stderr = thread("stderr", move || drain(stderr_pipe, stderr))?;

    let status = guest.wait(pid);
    let output = [stdout, stderr]
        .map(|thread| thread.join().map_err(|_| io::Error::other("the thread failed")));
    let [stdout, stderr] = output;
    let output = [stdout.during("drain stdout")?, stderr.during("drain stderr")?];
    Ok(Ended { status, output, obedience })
}

fn receive_start(control: &mut File) -> Result<Box<Start>, SessionError> {
    let greeting = match FrameReader::default().read(control) {
        Ok(Some(greeting)) => greeting,
        Ok(None) => {
            return Err(on(Stream::Control)(io::Error::from(io::ErrorKind::WouldBlock).into()));
        }
        Err(error) => return Err(on(Stream::Control)(error)),
    };
    Hello::check(&greeting)?;
    match read_message(control).map_err(on(Stream::Control))? {
        ToGuest::Start(start) => Ok(start),
        ToGuest::Signal { .. } => Err(SessionError::Order),
    }
}

fn pipe() -> Result<(OwnedFd, OwnedFd), StartError> {
    pipe_with(PipeFlags::CLOEXEC).during("make a pipe")
}

fn thread<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, StartError> {
    Builder::new().name(name.into()).spawn(body).during(format!("start the {name} thread"))
}

/// Host to process. A process that reads no more (or is gone) breaks the pipe, and that closes the stream.
fn feed(stdin: &File, pipe: OwnedFd) {
    pump(stdin, &pipe);
    // The end of file goes on to the process before the host is told: both are done with the other.
    drop(pipe);
    let _ = rustix::net::shutdown(stdin, Shutdown::Both);
}

/// Process to host. The stream comes back shut down, but not closed. Both directions: nothing comes from the host, and
/// not every VMM passes a half close on.
fn drain(pipe: OwnedFd, stream: File) -> File {
    pump(&pipe, &stream);
    let _ = rustix::net::shutdown(&stream, Shutdown::Both);
    stream
}

/// Does what the host says, until it closes control. When it does so with the process still there, nobody wants the
/// process any more.
fn obey(mut control: File, process: &OwnedFd) {
    loop {
        match read_message(&mut control) {
            Ok(ToGuest::Signal { number }) => match Signal::from_named_raw(number.into()) {
                // It may have ended meanwhile.
                Some(signal) => drop(pidfd_send_signal(process, signal)),
                None => {
                    return abandon(
                        process,
                        format_args!("sent {number}, which is no signal's number"),
                    );
                }
            },
            Ok(ToGuest::Start(_)) => return abandon(process, "sent a second process"),
            Err(FrameError::Closed | FrameError::Io(_)) => return abandon(process, "went away"),
            Err(error) => return abandon(process, error),
        }
    }
}

fn abandon(process: impl AsFd, why: impl std::fmt::Display) {
    if pidfd_send_signal(process, Signal::KILL).is_ok() {
        log(format_args!("host: {why}; the process is killed"));
    }
}

#[cfg(test)]
mod tests;
