//! The messages between the host and the guest's init.
//!
//! The guest calls the host: `guest-init` opens vsock connections to [`HOST_CID`], port [`PORT`]. On the host
//! that is a Unix socket, the VM's vsock path with `_1024` behind it. One connection carries one [`Stream`],
//! and its first frame, from the guest, is a [`Hello`] that says which.
//!
//! ```text
//!   guest                                    host
//!   control: Hello                  →
//!                                   ←        Hello (the host's version)
//!            … mounts the image …
//!   Ready                           →
//!                                   ←        Start { process, clock, seed }
//!   stdin, stdout, stderr: Hello    →
//!   Started { pid }                 →                       (or StartFailed, and the end)
//!   output, raw, on its own stream  →
//!                                   ←        Signal { number }, any number of times
//!   end of stdout, end of stderr    →
//!   Exited { status }               →
//!                                   ←        closes control: every byte was taken
//!   powers off
//! ```
//!
//! Control is a sequence of frames: a length (`u32`, little endian, at most [`MAX_FRAME`]), then that many bytes
//! of JSON. The other streams are raw bytes after their `Hello`: a half close is end of file, and vsock's credit
//! is the back pressure. Both ends refuse a frame or a field they don't know: neither guesses.

mod byte_string;
mod frame;
mod hello;
mod message;
mod process;

pub use byte_string::ByteString;
pub use frame::{FrameError, FrameReader, MAX_FRAME, decode, encode, read_message, write_message};
pub use hello::{Hello, HelloError, Stream};
pub use message::{Clock, ExitStatus, FailureKind, Start, ToGuest, ToHost};
pub use process::{Process, ProcessError};

/// The version that this end speaks. Any change of a message changes it: host and guest-init are built together,
/// so nothing is ever negotiated, only checked.
pub const VERSION: u32 = 1;

/// The vsock port that the host side listens on.
pub const PORT: u32 = 1024;

/// The host's context identifier, VMADDR_CID_HOST (vsock(7)).
pub const HOST_CID: u32 = 2;
