//! Standard input, output and error.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::process::{Gid, Uid};

use crate::error::{During, StartError};
use crate::users::User;

/// /dev/stdout is opened by path, and so by permission.
pub(super) fn give(user: &User) -> Result<(), StartError> {
    let stdio: [BorrowedFd<'_>; 3] =
        [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    for pipe in stdio {
        own(pipe, user)?;
    }
    Ok(())
}

/// Makes a pipe or a terminal the user's.
pub(super) fn own(descriptor: impl AsFd, user: &User) -> Result<(), StartError> {
    rustix::fs::fchown(descriptor, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))
        .during("give stdin, stdout and stderr to the user")
}

/// Makes a descriptor standard input, output and error.
pub(super) fn become_from(descriptor: &OwnedFd) -> Result<(), StartError> {
    rustix::stdio::dup2_stdin(descriptor)
        .and_then(|()| rustix::stdio::dup2_stdout(descriptor))
        .and_then(|()| rustix::stdio::dup2_stderr(descriptor))
        .during("make the terminal stdin, stdout and stderr")
}
