//! Bytes from one file descriptor to another, with back pressure.
//!
//! A pump holds one fixed buffer and reads again only when it has written all of it, so a side that does not take
//! its bytes stops the other: through the pipe's 64 KiB on one end, through vsock's credit on the other.
//! splice(2) would save the copy, but a vsock socket has no splice_read before Linux 6.5.

use std::os::fd::AsFd;

use rustix::io::Errno;

/// A pipe's default size, pipe(7): one read takes all that the process could write.
const BUFFER: usize = 64 << 10;

/// Which side ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The source is at its end of file, or broken: nothing more will come.
    Source,
    /// The sink takes nothing any more.
    Sink,
}

/// Copies until one side ends. Both must be blocking.
pub fn pump(source: impl AsFd, sink: impl AsFd) -> End {
    let mut buffer = vec![0; BUFFER];
    loop {
        let mut rest = match rustix::io::read(&source, &mut buffer) {
            Ok(0) => return End::Source,
            Ok(count) => &buffer[..count],
            Err(Errno::INTR) => continue,
            Err(_) => return End::Source,
        };
        while !rest.is_empty() {
            match rustix::io::write(&sink, rest) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::INTR) => {}
                Err(_) => return End::Sink,
            }
        }
    }
}

#[cfg(test)]
mod tests;
