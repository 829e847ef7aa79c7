//! What is said on a supervisor's control socket, each message a frame of the `protocol` crate.
//!
//! A client sends one request and gets one answer; `Attach` and `Exec` are answered twice, by `Started` and `Exited`, and
//! between the two the client may send `Resize` and `Signal`. File descriptors travel with the request.

use egress_rules::Counters;
use protocol::{ByteString, Process, Statistics, TerminalSize};
use serde::{Deserialize, Serialize};

use crate::network::InterfaceUse;

/// What a client asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Show the container's output from now on. With it: standard output, standard error and, if so said, input.
    Attach {
        /// Whether there is input.
        stdin: bool,
    },
    /// Run another process in the container. With it the same three.
    Exec {
        /// What to run.
        process: Box<Process>,
        /// The size of its terminal, if it gets one.
        terminal: Option<TerminalSize>,
        /// Whether there is input.
        stdin: bool,
    },
    /// The client's terminal has another size.
    Resize(TerminalSize),
    /// Send a signal: to the process of this connection's `Exec`, else to the container.
    Signal(u8),
    /// End the container: this signal and, when it still runs after so many seconds, SIGKILL.
    Stop {
        /// The signal.
        signal: u8,
        /// In seconds.
        timeout: u32,
    },
    /// Let nothing in the container run.
    Pause,
    /// Let it run again.
    Unpause,
    /// Tell what the container uses.
    Statistics,
    /// Tell what its network interfaces did since its VM began, also when that has ended.
    Interfaces,
    /// Send a file or folder as a tar. With it: where to.
    CopyOut {
        /// In the container, absolute.
        path: ByteString,
    },
    /// Unpack a tar. With it: where from.
    CopyIn {
        /// A folder of the container, absolute.
        path: ByteString,
    },
    /// Wait until the container ends.
    Wait,
}

/// What a supervisor answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reply {
    /// It was done.
    Done,
    /// The process runs, or the output is connected.
    Started,
    /// The process, or the container, ended with this status.
    Exited(u8),
    /// What the container uses.
    Statistics {
        /// Inside its VM.
        guest: Box<Statistics>,
        /// All its network interfaces together.
        network: Counters,
    },
    /// What its network interfaces did.
    Interfaces(Vec<InterfaceUse>),
    /// It could not be done.
    Failed {
        /// One line: why.
        message: String,
        /// The exit status for the client.
        status: u8,
    },
}
