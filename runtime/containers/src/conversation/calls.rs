//! Connections that have not said yet what they are for.
//!
//! Until Setup nobody but guest-init runs in the guest, and what it does wrong is the conversation's end. Later the container's
//! processes may call too: such a call is dropped, as it is theirs to harm neither the container nor who looks after it.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Instant;

use protocol::{ByteString, FrameReader, Hello, Stream};
use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use super::ConversationError;
use crate::limits;

#[derive(Default)]
pub(super) struct Calls {
    /// The oldest first.
    calls: VecDeque<Call>,
    /// What Setup has said, once it has.
    key: Option<ByteString>,
    /// There are no descriptors for more until then, perhaps.
    shortage: Option<Instant>,
}

struct Call {
    stream: UnixStream,
    reader: FrameReader,
}

impl Call {
    /// What it has said, once it is whole.
    fn hello(&mut self) -> Result<Option<Hello>, ConversationError> {
        let frame = self.reader.read(&mut self.stream)?;
        Ok(frame.map(|frame| Hello::check(&frame)).transpose()?)
    }
}

impl Calls {
    /// From now on, others than guest-init may call.
    pub(super) fn set_key(&mut self, key: ByteString) {
        self.key = Some(key);
    }

    /// Takes new ones, but not so many that others don't have their turn.
    pub(super) fn accept(&mut self, listener: &UnixListener) -> Result<(), ConversationError> {
        self.shortage.take_if(|end| *end <= Instant::now());
        if self.shortage.is_some() {
            return Ok(());
        }
        for _ in 0..=limits::CALLS {
            match listener.accept() {
                Ok(_) if self.calls.len() == limits::CALLS && self.key.is_none() => {
                    let most = limits::CALLS;
                    let what = format!("opened more than {most} connections without a word");
                    return Err(ConversationError::Protocol(what));
                }
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    if self.calls.len() == limits::CALLS {
                        // guest-init says it right after the call.
                        self.calls.pop_front();
                    }
                    self.calls.push_back(Call { stream, reader: FrameReader::default() });
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
        Ok(())
    }

    /// Those that have said it now.
    pub(super) fn known(&mut self) -> Result<Vec<(Stream, UnixStream)>, ConversationError> {
        let mut known = Vec::new();
        for mut call in std::mem::take(&mut self.calls) {
            match (call.hello(), &self.key) {
                (Ok(None), _) => self.calls.push_back(call),
                (Ok(Some(hello)), Some(key)) if hello.key != *key => {}
                (Ok(Some(hello)), _) => known.push((hello.stream, call.stream)),
                (Err(_), Some(_)) => {}
                (Err(error), None) => return Err(error),
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
