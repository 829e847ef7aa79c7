//! What is asked of a conversation's thread, and what comes back.

use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

use protocol::{ByteString, ExitStatus, Network, Process, Setting, Statistics, TerminalSize};

use super::answer::{Answer, Reply, Silence, tell};
use super::{ConversationError, Streams};

/// The end of a conversation is told to all who still wait for something: they share one reason.
pub type Failure = Arc<ConversationError>;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its status.
    pub status: ExitStatus,
    /// Whether the container ran out of memory, and a process was killed for it.
    pub out_of_memory: bool,
}

/// A process that runs, or has run.
#[derive(Debug)]
pub struct Running {
    /// Its number in the conversation: 0 is the container's first process.
    pub number: u32,
    pub(super) exit: Answer<Exit>,
}

impl Running {
    /// Waits until it ended and its output was passed on.
    pub fn wait(self) -> Result<Exit, Failure> {
        // The thread tells each end, its own as well.
        self.exit.wait(None).unwrap_or_else(|silence| match silence {
            Silence::AskerLeft => Err(ConversationError::AskerLeft.into()),
            Silence::Dropped | Silence::Late => Err(ConversationError::Over.into()),
        })
    }
}

/// That a process runs: its number, as in [`Running`].
pub(super) struct Started {
    pub(super) number: u32,
}

/// What is asked of the conversation's thread.
pub(super) enum Request {
    Start {
        process: Box<Process>,
        terminal: Option<TerminalSize>,
        streams: Streams,
        started: Reply<Started>,
        exit: Reply<Exit>,
    },
    Signal {
        process: u32,
        number: u8,
    },
    Resize {
        process: u32,
        size: TerminalSize,
    },
    Freeze(Reply<()>),
    Thaw(Reply<()>),
    Statistics(Reply<Statistics>),
    CopyOut {
        path: ByteString,
        archive: OwnedFd,
        done: Reply<()>,
    },
    CopyIn {
        path: ByteString,
        archive: OwnedFd,
        done: Reply<()>,
    },
    /// While the guest is not ready: it did this, and never will be.
    GiveUp(String),
    Close,
}

/// What a guest is given when it is ready, and whose closing says that it is.
pub(super) struct Unready {
    pub(super) setting: Setting,
    pub(super) network: Network,
    pub(super) unready: OwnedFd,
}

/// Why a conversation is over, once it is.
pub(super) type End = Arc<OnceLock<Failure>>;

impl Request {
    /// Tells whoever asked that it will not be.
    pub(super) fn fail(self, failure: Failure) {
        match self {
            Self::Start { started, .. } => tell(started, Err(failure)),
            Self::Freeze(reply) | Self::Thaw(reply) => tell(reply, Err(failure)),
            Self::Statistics(reply) => tell(reply, Err(failure)),
            Self::CopyOut { done, .. } | Self::CopyIn { done, .. } => tell(done, Err(failure)),
            Self::Signal { .. } | Self::Resize { .. } | Self::GiveUp(_) | Self::Close => {}
        }
    }
}
