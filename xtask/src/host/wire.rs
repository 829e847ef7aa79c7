//! What xtask and its agent inside the emulated host say to each other.
//!
//! There are five virtio-serial ports, each an ordered byte stream: `control` both ways, `stdin` to the
//! agent, `stdout` and `stderr` from it, `heartbeat` both ways. A port can't be closed and opened again, but commands
//! come and go, so each stream is cut into chunks: a little-endian u32 length, then that many bytes. A
//! chunk of length 0 is an end of file. On `control` and `heartbeat` each chunk is one JSON message.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The names of the ports, as QEMU is given them and as the guest's sysfs shows them.
pub const PORTS: [&str; 5] = ["control", "stdin", "stdout", "stderr", "heartbeat"];

/// The hidden command that makes xtask the agent.
pub const AGENT_COMMAND: &str = "host-agent";

/// The largest chunk of data.
pub const MAX_DATA: usize = 32 << 10;

/// The largest message: a command line with its environment.
const MAX_CHUNK: usize = 4 << 20;

/// To the agent.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Start a command.
    Start(Process),
    /// Send this signal to the command.
    Signal(i32),
    /// The command's terminal has a new size.
    Resize(Size),
}

/// From the agent.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// The agent is up.
    Ready,
    /// The command has ended: its exit status, or 128 + n for signal n.
    Exited(u8),
}

/// Asks the agent, on `heartbeat`, for a [`Beat`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping;

/// A sign of life: what comes is proof that the host's kernel runs programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// How often the agent was woken by the host's own timer, every [`OWN_BEAT`]. It stays where it is while the
    /// host's timer interrupts are lost.
    pub own: u64,
}

/// The time between two beats of the agent's own, once it was asked for the first: in a host whose clock counts
/// instructions nobody asks, and nothing beats.
pub const OWN_BEAT: Duration = Duration::from_millis(200);

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The program and its arguments; never empty.
    pub arguments: Vec<OsString>,
    /// The whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The working directory.
    pub directory: OsString,
    /// Files to write before it starts: their paths and contents.
    pub files: Vec<(OsString, Vec<u8>)>,
    /// A terminal of this size instead of three pipes.
    pub terminal: Option<Size>,
}

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Its lines.
    pub rows: u16,
    /// Its characters a line.
    pub columns: u16,
}

/// Writes one chunk, in one call when the stream takes it.
pub fn write_chunk(stream: &mut impl Write, data: &[u8]) -> io::Result<()> {
    let length = u32::try_from(data.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_le_bytes(), data].concat())
}

/// Reads one chunk.
pub fn read_chunk(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_CHUNK {
        let message = format!("a chunk of {length} bytes, more than {MAX_CHUNK}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut data = vec![0; length];
    stream.read_exact(&mut data)?;
    Ok(data)
}

/// Writes one message.
pub fn send(stream: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    write_chunk(stream, &serde_json::to_vec(message)?)
}

/// Reads one message.
pub fn receive<T: for<'a> Deserialize<'a>>(stream: &mut impl Read) -> io::Result<T> {
    Ok(serde_json::from_slice(&read_chunk(stream)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn messages_keep_bytes_that_are_no_text() {
        let process = Process {
            arguments: vec![OsString::from_vec(vec![b'a', 0xff])],
            environment: vec![("KEY".into(), "value".into())],
            directory: "/".into(),
            files: vec![("/run/file".into(), vec![0, 0xff])],
            terminal: Some(Size { rows: 24, columns: 80 }),
        };
        let mut stream = Vec::new();
        send(&mut stream, &Request::Start(process.clone())).unwrap();
        send(&mut stream, &Request::Signal(15)).unwrap();
        let mut stream = stream.as_slice();
        assert_eq!(receive::<Request>(&mut stream).unwrap(), Request::Start(process));
        assert_eq!(receive::<Request>(&mut stream).unwrap(), Request::Signal(15));
        assert!(receive::<Request>(&mut stream).is_err());
    }

    #[test]
    fn an_oversized_chunk_is_refused_before_it_is_allocated() {
        assert!(read_chunk(&mut [0xff; 8].as_slice()).is_err());
        assert_eq!(read_chunk(&mut [0; 4].as_slice()).unwrap(), b"");
    }
}
