//! What all errors of this crate, and of those that it passes on, have in common.

use std::error::Error;
use std::io;

use boot::arm64_image::PackedError;
use boot::bzimage::BzImageError;
use boot::decompress::{DecompressError, Format};
use host::text::in_one_line;
use protocol::{FrameError, HelloError};

use crate::container::ContainerError;
use crate::conversation::{ConversationError, Failure};
use crate::guest::GuestError;
use crate::supervisor::SupervisorError;
use crate::vm::VmError;

const CAUSE: &str = "the disk is full";

fn cause() -> io::Error {
    io::Error::other(CAUSE)
}

fn damaged() -> DecompressError {
    DecompressError::Damaged { format: Format::Gzip, source: cause() }
}

fn bytes() -> FrameError {
    FrameError::Malformed(CAUSE.into())
}

#[test]
fn no_error_says_its_cause_twice() {
    let path = || "/file".into();
    let packed = PackedError::Payload(damaged());
    let payload = BzImageError::Payload(damaged());
    let file = || ContainerError::File { action: "write", path: path(), source: cause() };
    let failure = || Failure::new(ConversationError::Io(cause()));
    let errors: Vec<Box<dyn Error>> = vec![
        Box::new(damaged()),
        Box::new(BzImageError::Payload(damaged())),
        Box::new(HelloError::Malformed(bytes())),
        Box::new(GuestError::ReadKernel { path: path(), source: cause() }),
        Box::new(GuestError::BzImage { path: path(), source: payload }),
        Box::new(GuestError::PackedImage { path: path(), source: packed }),
        Box::new(GuestError::Module { path: path(), source: damaged() }),
        Box::new(ConversationError::TooLong(bytes())),
        Box::new(ConversationError::Listen { path: path(), source: cause() }),
        Box::new(ConversationError::Hello(HelloError::Malformed(bytes()))),
        Box::new(ConversationError::from(bytes())),
        Box::new(file()),
        Box::new(ContainerError::Random(cause())),
        Box::new(VmError::Folder { action: "make", path: path(), source: cause() }),
        Box::new(VmError::Scratch(cause())),
        Box::new(VmError::Config { path: path(), source: cause() }),
        Box::new(VmError::Spawn { path: path(), source: cause() }),
        Box::new(VmError::Conversation(failure())),
        Box::new(SupervisorError::Container(file())),
        Box::new(SupervisorError::Vm(VmError::Stdio(cause()))),
        Box::new(SupervisorError::Guest(failure())),
        Box::new(SupervisorError::Listen(cause())),
        Box::new(SupervisorError::Unreachable { supervisor: 7, source: cause() }),
        Box::new(SupervisorError::Complaints { path: path(), source: cause() }),
        Box::new(SupervisorError::Spawn(cause())),
        Box::new(SupervisorError::Lost(bytes())),
        Box::new(SupervisorError::Terminal(cause())),
        Box::new(SupervisorError::Io(cause())),
    ];
    for error in errors {
        let text = in_one_line(&*error);
        assert_eq!(text.matches(CAUSE).count(), 1, "{text}");
    }
}
