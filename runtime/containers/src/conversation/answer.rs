//! How an answer comes back to who asked, and what ends the wait for it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};

use super::request::Failure;
use host::poll::wait_until;

/// Where an answer goes. Who does not wait for it any more does not mind.
pub(super) struct Reply<T> {
    /// Until it is given.
    answer: Option<Sender<Result<T, Failure>>>,
    /// Rung when the answer is there, or will never be. It is gone with who waits: an answer that is never given keeps no
    /// descriptor.
    bell: Weak<OwnedFd>,
}

/// Where it is awaited.
#[derive(Debug)]
pub(super) struct Answer<T> {
    answer: Receiver<Result<T, Failure>>,
    asker: Option<Asker>,
}

/// Somebody who may leave, and the bell that wakes who looks after him.
#[derive(Debug)]
struct Asker {
    socket: Arc<OwnedFd>,
    bell: Arc<OwnedFd>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Silence {
    /// The question was dropped.
    Dropped,
    /// It took too long.
    Late,
    /// Nobody is there to hear it.
    AskerLeft,
}

/// Both ends, the second for who asks in the name of the `asker`, if there is one: a socket, whose other end may leave.
pub(super) fn question<T>(asker: Option<&Arc<OwnedFd>>) -> io::Result<(Reply<T>, Answer<T>)> {
    let (sender, receiver) = channel();
    let asker = match asker {
        None => None,
        Some(socket) => {
            let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
            Some(Asker { socket: Arc::clone(socket), bell })
        }
    };
    let bell = asker.as_ref().map(|asker| Arc::downgrade(&asker.bell)).unwrap_or_default();
    Ok((Reply { answer: Some(sender), bell }, Answer { answer: receiver, asker }))
}

/// Answers. Who does not wait for it any more does not mind.
pub(super) fn tell<T>(mut reply: Reply<T>, answer: Result<T, Failure>) {
    let _ = reply.answer.take().map(|sender| sender.send(answer));
}

impl<T> Reply<T> {
    /// Whose answer nobody wants.
    pub(super) fn to_nobody() -> Self {
        Self { answer: None, bell: Weak::new() }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        // First: who is woken finds that there is nothing more to come.
        drop(self.answer.take());
        if let Some(bell) = self.bell.upgrade() {
            // Fails only at the counter's limit, and then it is readable already.
            let _ = rustix::io::write(&bell, &1u64.to_ne_bytes());
        }
    }
}

impl<T> Answer<T> {
    /// Waits for it, without an end or so long, while the asker is there.
    pub(super) fn wait(self, patience: Option<Duration>) -> Result<Result<T, Failure>, Silence> {
        let Some(Asker { socket, bell }) = self.asker else {
            let Some(patience) = patience else {
                return self.answer.recv().map_err(|_| Silence::Dropped);
            };
            return self.answer.recv_timeout(patience).map_err(|error| match error {
                RecvTimeoutError::Timeout => Silence::Late,
                RecvTimeoutError::Disconnected => Silence::Dropped,
            });
        };
        let deadline = patience.map(|patience| Instant::now() + patience);
        loop {
            // An end of what he says is his leaving: he keeps his socket whole as long as he listens.
            let left = PollFlags::RDHUP;
            let mut fds = [PollFd::new(&bell, PollFlags::IN), PollFd::new(&socket, left)];
            let in_time = wait_until(&mut fds, deadline);
            let asker_left = !fds[1].revents().is_empty();
            match self.answer.try_recv() {
                Ok(answer) => return Ok(answer),
                Err(TryRecvError::Disconnected) => return Err(Silence::Dropped),
                Err(TryRecvError::Empty) if asker_left => return Err(Silence::AskerLeft),
                Err(TryRecvError::Empty) if !matches!(in_time, Ok(true)) => {
                    return Err(Silence::Late);
                }
                Err(TryRecvError::Empty) => {}
            }
        }
    }
}
