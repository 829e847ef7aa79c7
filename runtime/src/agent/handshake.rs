//! From the guest's first call to its process.

use std::io::ErrorKind;
use std::os::fd::BorrowedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use protocol::{FrameReader, Hello, Process, Stream, ToHost};
use rustix::event::{PollFd, PollFlags};

use super::control::{Control, start_message};
use super::{AgentError, escaped, out_of_order, signals, wait};

/// A guest's four streams, each having said what it is, and a process at the other end.
pub(super) struct Streams {
    pub control: Control,
    pub stdin: UnixStream,
    pub stdout: UnixStream,
    pub stderr: UnixStream,
}

/// Waits for the guest, and has it start the process.
pub(super) fn until_started(
    listener: &UnixListener,
    process: &Process,
    signals: BorrowedFd<'_>,
    vm: BorrowedFd<'_>,
) -> Result<Streams, AgentError> {
    let mut calls = Calls::default();
    loop {
        if calls.started
            && let (Some(stdin), Some(stdout), Some(stderr)) =
                (calls.stdin.take(), calls.stdout.take(), calls.stderr.take())
            && let Some(control) = calls.control.take()
        {
            return Ok(Streams { control, stdin, stdout, stderr });
        }
        let mut fds = vec![
            PollFd::new(&signals, PollFlags::IN),
            PollFd::new(listener, PollFlags::IN),
            PollFd::new(&vm, PollFlags::IN),
        ];
        if let Some(control) = &calls.control {
            fds.push(PollFd::new(control, control.interest()));
        }
        fds.extend(calls.unknown.iter().map(|call| PollFd::new(&call.stream, PollFlags::IN)));
        wait(&mut fds)?;
        let vm_ended = !fds[2].revents().is_empty();

        if let Some(number) = signals::next(signals)? {
            return Err(AgentError::Interrupted(number));
        }
        calls.accept(listener)?;
        calls.listen_to_hellos()?;
        calls.advance(process)?;
        // What it said before its end was heard, above.
        if vm_ended {
            return Err(AgentError::VmEnded);
        }
    }
}

/// More connections than a guest makes at once, without their Hello.
const MAX_UNKNOWN: usize = 4;

/// A connection that has not said yet what it is for.
struct Call {
    stream: UnixStream,
    reader: FrameReader,
}

/// What the guest opened so far.
#[derive(Default)]
struct Calls {
    unknown: Vec<Call>,
    control: Option<Control>,
    stdin: Option<UnixStream>,
    stdout: Option<UnixStream>,
    stderr: Option<UnixStream>,
    /// Start was sent.
    asked: bool,
    /// Started was heard.
    started: bool,
}

impl Calls {
    fn accept(&mut self, listener: &UnixListener) -> Result<(), AgentError> {
        loop {
            match listener.accept() {
                Ok((stream, _)) if self.unknown.len() < MAX_UNKNOWN => {
                    stream.set_nonblocking(true)?;
                    self.unknown.push(Call { stream, reader: FrameReader::default() });
                }
                Ok(_) => {
                    let what = format!("opened more than {MAX_UNKNOWN} connections without a word");
                    return Err(AgentError::Protocol(what));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn listen_to_hellos(&mut self) -> Result<(), AgentError> {
        for mut call in std::mem::take(&mut self.unknown) {
            match call.reader.read(&mut call.stream)? {
                Some(hello) => self.place(Hello::check(&hello)?, call.stream)?,
                None => self.unknown.push(call),
            }
        }
        Ok(())
    }

    fn place(&mut self, kind: Stream, stream: UnixStream) -> Result<(), AgentError> {
        let again = AgentError::Protocol(format!("opened its {kind:?} stream twice"));
        let slot = match kind {
            Stream::Control if self.control.is_some() => return Err(again),
            Stream::Control => {
                self.control = Some(Control::new(stream)?);
                return Ok(());
            }
            Stream::Stdin => &mut self.stdin,
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        match slot.replace(stream) {
            None => Ok(()),
            Some(_) => Err(again),
        }
    }

    /// The control stream's part: Ready is answered by Start, and Start by Started.
    fn advance(&mut self, process: &Process) -> Result<(), AgentError> {
        let Some(control) = &mut self.control else { return Ok(()) };
        control.flush()?;
        // Once the process runs, what follows is not for the handshake to read.
        while !self.started {
            match control.receive()? {
                None => break,
                Some(ToHost::Ready) if !self.asked => {
                    control.send(&start_message(process.clone())?)?;
                    self.asked = true;
                }
                Some(ToHost::Started { .. }) if self.asked => self.started = true,
                Some(ToHost::StartFailed { kind, message }) => {
                    return Err(AgentError::StartFailed { kind, message: escaped(&message) });
                }
                Some(other) => return Err(out_of_order(&other)),
            }
        }
        Ok(())
    }
}
