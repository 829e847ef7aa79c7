//! A length, then that many bytes of JSON.

use std::io::{self, ErrorKind, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest frame, without its length field. Arguments and environment share it.
pub const MAX_FRAME: usize = 1 << 20;

/// The length field: `u32`, little endian.
const HEADER: usize = 4;

/// How much a frame's buffer grows at a time: a length that is only claimed costs nothing.
const STEP: usize = 64 << 10;

/// The longest text of a parse error that is passed on: it quotes the other end's input.
const MAX_QUOTE: usize = 200;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length field, or a message of ours, is over the limit.
    #[error("a frame of {0} bytes; the limit is {MAX_FRAME}")]
    TooLong(u64),
    /// End of file between two frames.
    #[error("the other end closed the connection")]
    Closed,
    /// End of file inside a frame.
    #[error("the other end closed the connection inside a frame, after {0} of its bytes")]
    Truncated(usize),
    /// Not the JSON that belongs here.
    #[error("not a message of this protocol: {0}")]
    Malformed(String),
    /// The connection itself.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Collects one frame from a stream that gives its bytes in any portions. It never reads past the frame's end: what
/// follows a [`crate::Hello`] may be raw bytes.
#[derive(Debug, Default)]
pub struct FrameReader {
    header: [u8; HEADER],
    /// How much of the header is there.
    filled: usize,
    body: Vec<u8>,
}

impl FrameReader {
    /// Reads on. `None`: the stream would block, come again.
    pub fn read(&mut self, stream: &mut impl Read) -> Result<Option<Vec<u8>>, FrameError> {
        while self.filled < HEADER {
            match read_some(stream, &mut self.header[self.filled..])? {
                None => return Ok(None),
                Some(0) if self.filled == 0 => return Err(FrameError::Closed),
                Some(0) => return Err(FrameError::Truncated(self.filled)),
                Some(count) => self.filled += count,
            }
        }
        let length = u32::from_le_bytes(self.header);
        let wanted = usize::try_from(length).unwrap_or(usize::MAX);
        if wanted > MAX_FRAME {
            return Err(FrameError::TooLong(length.into()));
        }
        while self.body.len() < wanted {
            let have = self.body.len();
            let step = STEP.min(wanted - have);
            self.body.resize(have + step, 0);
            let result = read_some(stream, &mut self.body[have..]);
            self.body.truncate(have + result.as_ref().ok().copied().flatten().unwrap_or(0));
            match result? {
                None => return Ok(None),
                Some(0) => return Err(FrameError::Truncated(HEADER + have)),
                Some(_) => {}
            }
        }
        self.filled = 0;
        Ok(Some(std::mem::take(&mut self.body)))
    }
}

/// One read. `None`: it would block.
fn read_some(stream: &mut impl Read, buffer: &mut [u8]) -> Result<Option<usize>, FrameError> {
    loop {
        match stream.read(buffer) {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A message as a whole frame.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; HEADER];
    serde_json::to_writer(&mut frame, message)
        .map_err(|error| FrameError::Malformed(error.to_string()))?;
    let length = frame.len() - HEADER;
    if length > MAX_FRAME {
        return Err(FrameError::TooLong(length as u64));
    }
    frame[..HEADER].copy_from_slice(&(length as u32).to_le_bytes());
    Ok(frame)
}

/// How many bytes of a frame's body this takes.
pub(crate) fn length(part: &impl Serialize) -> usize {
    struct Count(usize);

    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    // What can't be written at all fits nowhere.
    serde_json::to_writer(&mut count, part).map_or(usize::MAX, |()| count.0)
}

/// The message in a frame's body.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        let mut quote: String = text.chars().take(MAX_QUOTE).flat_map(printable).collect();
        if text.chars().nth(MAX_QUOTE).is_some() {
            quote.push('…');
        }
        FrameError::Malformed(quote)
    })
}

/// The character, or its escape when it would move a terminal's cursor.
fn printable(c: char) -> impl Iterator<Item = char> {
    let (plain, escaped) =
        if c.is_control() { (None, Some(c.escape_default())) } else { (Some(c), None) };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// Waits for one message on a blocking stream.
pub fn read_message<T: DeserializeOwned>(stream: &mut impl Read) -> Result<T, FrameError> {
    match FrameReader::default().read(stream)? {
        Some(body) => decode(&body),
        None => Err(FrameError::Io(ErrorKind::WouldBlock.into())),
    }
}

/// Sends one message on a blocking stream.
pub fn write_message(stream: &mut impl Write, message: &impl Serialize) -> Result<(), FrameError> {
    Ok(stream.write_all(&encode(message)?)?)
}

#[cfg(test)]
pub(crate) mod tests;
