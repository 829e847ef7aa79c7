//! Connections that have not said yet what they are for.

use std::io::ErrorKind;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Instant;

use protocol::{FrameReader, Hello, Stream};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use super::ConversationError;
use crate::limits;

#[derive(Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    /// There are no descriptors for more until then, perhaps.
    shortage: Option<Instant>,
}

struct Call {
    stream: UnixStream,
    reader: FrameReader,
}

impl Calls {
    /// Takes new ones.
    pub(super) fn accept(&mut self, listener: &UnixListener) -> Result<(), ConversationError> {
        self.shortage.take_if(|end| *end <= Instant::now());
        if self.shortage.is_some() {
            return Ok(());
        }
        loop {
            match listener.accept() {
                Ok((stream, _)) if self.calls.len() < limits::CALLS => {
                    stream.set_nonblocking(true)?;
                    self.calls.push(Call { stream, reader: FrameReader::default() });
                }
                Ok(_) => {
                    let most = limits::CALLS;
                    let what = format!("opened more than {most} connections without a word");
                    return Err(ConversationError::Protocol(what));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // It waits for its turn. Who has descriptors gives them back some day.
                Err(error) if is_shortage(&error) => {
                    self.shortage = Some(Instant::now() + limits::SHORTAGE);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Those that have said it now.
    pub(super) fn known(&mut self) -> Result<Vec<(Stream, UnixStream)>, ConversationError> {
        let mut known = Vec::new();
        for mut call in std::mem::take(&mut self.calls) {
            match call.reader.read(&mut call.stream)? {
                Some(hello) => known.push((Hello::check(&hello)?, call.stream)),
                None => self.calls.push(call),
            }
        }
        Ok(known)
    }

    /// When new ones are taken again, if that is not now.
    pub(super) fn shortage(&self) -> Option<Instant> {
        self.shortage
    }

    /// What to poll for.
    pub(super) fn interests(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.calls.iter().map(|call| PollFd::new(&call.stream, PollFlags::IN))
    }
}

/// Whether accept(2) failed for want of descriptors or memory, as it may not do later.
fn is_shortage(error: &std::io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}
