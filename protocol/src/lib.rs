//! The messages between the host and the guest's init.
//!
//! The guest calls the host: `guest-init` opens vsock connections to [`HOST_CID`], port [`PORT`]. On the host
//! that is a Unix socket, the VM's vsock path with `_1024` behind it. One connection carries one [`Stream`],
//! and its first frame, from the guest, is a [`Hello`] that says which. After Setup the host drops a call whose Hello does
//! not repeat the key in it: that was not guest-init's.
//!
//! ```text
//!   guest                                    host
//!   control: Hello                  →
//!                                   ←        Hello (the host's version)
//!            … mounts the image …
//!   Ready                           →
//!                                   ←        Setup { setting, network, clock, seed, … }
//!                                   ←        Start { process: 0, … }: the container's first process
//!   stdin 0, stdout 0, stderr 0: Hello →
//!   Started { process: 0, pid }     →                       (or StartFailed)
//!   output, raw, on its own stream  →
//!                                   ←        Signal, Resize, Start of more processes, Freeze, Statistics,
//!                                            CopyIn …, in any order, any number of times
//!   answers, each naming what it answers →
//!   end of stdout, end of stderr    →
//!   Exited { process, status }      →        for each process, process 0 the last
//!                                   ←        closes control: every byte was taken
//!   powers off
//! ```
//!
//! Processes and copies have numbers that the host gives, each once in a VM's life. Process 0 is the container: when it
//! ends, or can't be started, every other process is killed, and the guest waits for the host's goodbye. The host never
//! waits for an answer before it asks the next; answers of one kind come in the order of the requests.
//!
//! Control is a sequence of frames: a length (`u32`, little endian, at most [`MAX_FRAME`]), then that many bytes
//! of JSON. The other streams are raw bytes after their `Hello`: a half close is end of file, and vsock's credit
//! is the back pressure. Both ends refuse a frame or a field they don't know: neither guesses.
//!
//! The streams of copies carry tar archives; with the feature `archive`, which only those need who write them, `archive` does.

#[cfg(feature = "archive")]
pub mod archive;
mod byte_string;
mod frame;
mod hello;
mod message;
mod network;
mod process;
mod setup;

pub use byte_string::ByteString;
pub use frame::{FrameError, FrameReader, MAX_FRAME, decode, encode, read_message, write_message};
pub use hello::{Hello, HelloError, Stream};
pub use message::{Clock, ExitStatus, FailureKind, Start, Statistics, ToGuest, ToHost};
pub use network::{
    Cidr, Host, Interface, MacAddress, Neighbour, Network, NetworkError, Resolver, Route, Sysctl,
};
pub use process::{Limit, Process, ProcessError, TerminalSize};
pub use setup::{Setting, Setup, Tmpfs};

/// The version that this end speaks. Any change of a message changes it: host and guest-init are built together,
/// so nothing is ever negotiated, only checked.
pub const VERSION: u32 = 5;

/// The vsock port that the host side listens on.
pub const PORT: u32 = 1024;

/// The host's context identifier, VMADDR_CID_HOST (vsock(7)).
pub const HOST_CID: u32 = 2;
