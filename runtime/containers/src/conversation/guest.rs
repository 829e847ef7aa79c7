//! What a supervisor and its clients hold of a guest: requests go to the conversation's thread, answers come back.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use protocol::{ByteString, Network, Process, Setting, Statistics, TerminalSize};
use rustix::event::{EventfdFlags, eventfd};
use rustix::pipe::{PipeFlags, pipe_with};

use super::answer::{Answer, Reply, Silence, question};
use super::request::{End, Failure, Request, Running, Unready};
use super::thread::Conversation;
use super::{ConversationError, Reception, Streams};
use crate::limits;

/// A guest in conversation. When the last of its clones is dropped, the conversation is closed.
#[derive(Clone, Debug)]
pub struct Guest {
    line: Arc<Line>,
    /// In whose name it is asked: a socket, at whose other end he is.
    asker: Option<Arc<OwnedFd>>,
}

/// The way to the conversation's thread.
#[derive(Debug)]
struct Line {
    requests: Sender<Request>,
    wake: OwnedFd,
    end: End,
    ready: OwnedFd,
}

impl Guest {
    /// Lets the guest call, and talks with it in a thread of its own. `vm` becomes readable when the VM is gone (a pidfd of
    /// the VMM).
    pub fn expect(
        reception: Reception,
        setting: Setting,
        network: Network,
        vm: BorrowedFd<'_>,
    ) -> Result<Self, ConversationError> {
        setting.check()?;
        network.check()?;
        let (requests, asked) = channel();
        let wake =
            eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(io::Error::from)?;
        let ears = wake.try_clone()?;
        let vm = vm.try_clone_to_owned()?;
        let end = End::default();
        let (ready, unready) = pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from)?;
        let unready = Unready { setting, network, unready };
        let conversation = Conversation::new(asked, ears, vm, unready, Arc::clone(&end));
        thread::Builder::new().name("guest".into()).spawn(move || conversation.hold(reception))?;
        Ok(Self { line: Arc::new(Line { requests, wake, end, ready }), asker: None })
    }

    /// Readable when the guest is ready and has started its first process, unless it was asked for something else first; or when
    /// the conversation is over.
    pub fn ready(&self) -> io::Result<OwnedFd> {
        self.line.ready.try_clone()
    }

    /// For one who asks through the socket `asker`: when its other end is closed, his questions are over.
    pub fn asked_by(&self, asker: OwnedFd) -> Self {
        Self { line: Arc::clone(&self.line), asker: Some(Arc::new(asker)) }
    }

    /// For who may give it up, and does not keep the conversation open.
    pub fn onlooker(&self) -> Onlooker {
        Onlooker(Arc::downgrade(&self.line))
    }

    /// Runs a process, and waits until it runs. The first one is the container's.
    pub fn start(
        &self,
        process: Process,
        terminal: Option<TerminalSize>,
        streams: impl Into<Streams>,
    ) -> Result<Running, Failure> {
        process.check().map_err(ConversationError::from)?;
        let process = Box::new(process);
        let (exit, exits) = self.question()?;
        let streams = streams.into();
        let start = |started| Request::Start { process, terminal, streams, started, exit };
        let started = self.ask(None, start)?;
        Ok(Running { number: started.number, exit: exits })
    }

    /// Sends a signal to a process. One for process 0 before it runs ends the conversation.
    pub fn signal(&self, process: u32, number: u8) {
        self.line.send(Request::Signal { process, number });
    }

    /// Gives a process's terminal another size.
    pub fn resize(&self, process: u32, size: TerminalSize) {
        self.line.send(Request::Resize { process, size });
    }

    /// Lets no process of the container run, and waits until none does, but not for ever.
    pub fn freeze(&self) -> Result<(), Failure> {
        let frozen = self.ask(Some(limits::STANDSTILL), Request::Freeze);
        if frozen.as_ref().is_err_and(|failure| matches!(**failure, ConversationError::NoAnswer(_)))
        {
            // It may do it yet.
            self.line.send(Request::Thaw(Reply::to_nobody()));
        }
        frozen
    }

    /// Lets them run again, with the right time. A guest that does not say so is not waited for any longer.
    pub fn thaw(&self) -> Result<(), Failure> {
        self.ask(Some(limits::STANDSTILL), Request::Thaw)
    }

    /// What the container uses. Who does not say it soon is not waited for.
    pub fn statistics(&self) -> Result<Statistics, Failure> {
        self.ask(Some(limits::STATISTICS), Request::Statistics)
    }

    /// Writes a file or folder of the container to `archive`, as a tar.
    pub fn copy_out(&self, path: ByteString, archive: OwnedFd) -> Result<(), Failure> {
        self.ask(None, |done| Request::CopyOut { path, archive, done })
    }

    /// Unpacks the tar `archive` in a folder of the container.
    pub fn copy_in(&self, path: ByteString, archive: OwnedFd) -> Result<(), Failure> {
        self.ask(None, |done| Request::CopyIn { path, archive, done })
    }

    fn question<T>(&self) -> Result<(Reply<T>, Answer<T>), Failure> {
        Ok(question(self.asker.as_ref()).map_err(ConversationError::from)?)
    }

    fn ask<T>(
        &self,
        patience: Option<Duration>,
        request: impl FnOnce(Reply<T>) -> Request,
    ) -> Result<T, Failure> {
        let (reply, answer) = self.question()?;
        self.line.send(request(reply));
        answer.wait(patience).unwrap_or_else(|silence| match silence {
            Silence::Dropped => Err(self.end()),
            Silence::Late => {
                let seconds = patience.unwrap_or_default().as_secs();
                Err(ConversationError::NoAnswer(seconds).into())
            }
            Silence::AskerLeft => Err(ConversationError::AskerLeft.into()),
        })
    }

    /// Why a question was dropped: the thread does that with what comes too late for it.
    fn end(&self) -> Failure {
        self.line.end.get().cloned().unwrap_or_else(|| ConversationError::Over.into())
    }
}

/// Sees a guest from outside.
#[derive(Debug)]
pub struct Onlooker(Weak<Line>);

impl Onlooker {
    /// Ends the conversation with a guest that is not ready yet, for what it did meanwhile. All who wait for it are told.
    pub fn give_up(&self, why: String) {
        if let Some(line) = self.0.upgrade() {
            line.send(Request::GiveUp(why));
        }
    }
}

impl Line {
    fn send(&self, request: Request) {
        // Without the thread the request is dropped, and with it the way for its answer.
        let _ = self.requests.send(request);
        // Fails only at the counter's limit, and then it is readable already.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.send(Request::Close);
    }
}
