//! The command's standard streams inside: its pipes (or terminal) against chunks on the ports.
//!
//! Each pump is a thread. A pipe of which the other end is closed, `stop`, tells it that the command has
//! ended; what the command left behind in the background may hold its streams open for ever.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, poll};

use crate::host::streams::wait;
use crate::host::wire::{MAX_DATA, read_chunk, write_chunk};

/// A running pump.
pub type Pump = JoinHandle<io::Result<()>>;

/// What an ended command can have left in its pipe: the most an unprivileged pipe holds.
const LEFT_IN_PIPE: usize = 1 << 20;

/// Waits until a pump has ended.
pub fn join(pump: Pump) -> io::Result<()> {
    pump.join().map_err(|_| io::Error::other("a pump panicked"))?
}

/// Passes chunks from `port` on to `target`, until the chunk that ends the input. Without a target,
/// and once it takes no more, they are dropped.
pub fn input(mut port: File, target: Option<OwnedFd>, stop: OwnedFd) -> Pump {
    thread::spawn(move || {
        let mut target = target.map(File::from);
        if let Some(target) = &target {
            rustix::io::ioctl_fionbio(target, true)?;
        }
        loop {
            let data = read_chunk(&mut port)?;
            if data.is_empty() {
                return Ok(());
            }
            if let Some(file) = &mut target
                && write_all(file, &data, &stop).is_err()
            {
                target = None;
            }
        }
    })
}

/// Writes to a nonblocking file; gives up when the command has ended.
fn write_all(file: &mut File, mut data: &[u8], stop: &OwnedFd) -> io::Result<()> {
    while !data.is_empty() {
        match file.write(data) {
            Ok(written) => data = &data[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut fds = [PollFd::new(file, PollFlags::OUT), PollFd::new(stop, PollFlags::IN)];
                poll(&mut fds, None)?;
                if !fds[1].revents().is_empty() {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Passes what comes from `source` on to `port`, until its end of file or, after the command's end, until
/// what is left was read; then ends the stream.
pub fn output(source: Option<OwnedFd>, mut port: File, stop: OwnedFd) -> Pump {
    thread::spawn(move || {
        if let Some(source) = source {
            copy_output(File::from(source), &mut port, &stop)?;
        }
        write_chunk(&mut port, &[])
    })
}

fn copy_output(mut source: File, port: &mut File, stop: &OwnedFd) -> io::Result<()> {
    let mut buffer = [0; MAX_DATA];
    let mut left = LEFT_IN_PIPE;
    while left > 0 {
        let seen = wait(&source, stop)?;
        if !seen.readable {
            return Ok(());
        }
        // A terminal without a process reads as an I/O error.
        let length = source.read(&mut buffer).unwrap_or(0);
        if length == 0 {
            return Ok(());
        }
        write_chunk(port, &buffer[..length])?;
        if seen.stopped {
            left = left.saturating_sub(length);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
