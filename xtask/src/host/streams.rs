//! The command's standard streams on this side: file descriptors of ours against chunks on the ports.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};

use super::wire::{MAX_DATA, read_chunk, write_chunk};

/// Where a command's standard streams come from and go to.
pub struct Stdio {
    /// Read until its end of file.
    pub stdin: OwnedFd,
    /// Written to as output comes.
    pub stdout: OwnedFd,
    /// Likewise.
    pub stderr: OwnedFd,
}

impl Stdio {
    /// This process's own.
    pub fn inherit() -> io::Result<Stdio> {
        let own = |fd: &dyn AsFd| fd.as_fd().try_clone_to_owned();
        Ok(Stdio {
            stdin: own(&io::stdin())?,
            stdout: own(&io::stdout())?,
            stderr: own(&io::stderr())?,
        })
    }
}

/// What [`wait`] saw.
pub struct Seen {
    /// There is data or an end of file to read.
    pub readable: bool,
    /// The other end of `stop` was closed.
    pub stopped: bool,
}

/// Waits until `fd` can be read or the other end of the pipe `stop` is closed.
pub fn wait(fd: impl AsFd, stop: impl AsFd) -> io::Result<Seen> {
    let mut fds = [PollFd::new(&fd, PollFlags::IN), PollFd::new(&stop, PollFlags::IN)];
    loop {
        match poll(&mut fds, None) {
            Ok(_) => {
                let [readable, stopped] = fds.map(|fd| !fd.revents().is_empty());
                return Ok(Seen { readable, stopped });
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sends `input` to `port` until its end, or until the other end of `stop` is closed; then the end of file.
pub fn send_input(input: OwnedFd, mut port: UnixStream, stop: impl AsFd) -> io::Result<()> {
    let mut input = File::from(input);
    let mut buffer = [0; MAX_DATA];
    while !wait(&input, &stop)?.stopped {
        // An unreadable standard input (a closed one, a directory) is an empty one.
        match input.read(&mut buffer).unwrap_or(0) {
            0 => break,
            length => write_chunk(&mut port, &buffer[..length])?,
        }
    }
    write_chunk(&mut port, &[])
}

/// Writes what comes from `port` to `output` until the end of file. When `output` takes no more,
/// `broken` is called once and the rest is dropped.
pub fn receive_output(
    mut port: UnixStream,
    output: OwnedFd,
    broken: impl FnOnce(),
) -> io::Result<()> {
    let mut output = File::from(output);
    let mut broken = Some(broken);
    loop {
        let data = read_chunk(&mut port)?;
        if data.is_empty() {
            return Ok(());
        }
        if broken.is_some()
            && output.write_all(&data).is_err()
            && let Some(broken) = broken.take()
        {
            broken();
        }
    }
}
