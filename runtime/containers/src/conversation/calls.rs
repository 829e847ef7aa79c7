//! Connections that have not said yet what they are for.

use std::io::ErrorKind;
use std::os::unix::net::{UnixListener, UnixStream};

use protocol::{FrameReader, Hello, Stream};
use rustix::event::{PollFd, PollFlags};

use super::ConversationError;

/// More than a guest has at once without their Hello: it says it right after the call.
const MAX: usize = 16;

/// The connections.
#[derive(Default)]
pub(super) struct Calls(Vec<Call>);

struct Call {
    stream: UnixStream,
    reader: FrameReader,
}

impl Calls {
    /// Takes new ones.
    pub(super) fn accept(&mut self, listener: &UnixListener) -> Result<(), ConversationError> {
        loop {
            match listener.accept() {
                Ok((stream, _)) if self.0.len() < MAX => {
                    stream.set_nonblocking(true)?;
                    self.0.push(Call { stream, reader: FrameReader::default() });
                }
                Ok(_) => {
                    let what = format!("opened more than {MAX} connections without a word");
                    return Err(ConversationError::Protocol(what));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Those that have said it now.
    pub(super) fn known(&mut self) -> Result<Vec<(Stream, UnixStream)>, ConversationError> {
        let mut known = Vec::new();
        for mut call in std::mem::take(&mut self.0) {
            match call.reader.read(&mut call.stream)? {
                Some(hello) => known.push((Hello::check(&hello)?, call.stream)),
                None => self.0.push(call),
            }
        }
        Ok(known)
    }

    /// What to poll for.
    pub(super) fn interests(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.0.iter().map(|call| PollFd::new(&call.stream, PollFlags::IN))
    }
}
