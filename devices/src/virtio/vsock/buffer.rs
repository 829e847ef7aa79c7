//! Bytes from the guest that the host's stream did not take yet.

use std::collections::VecDeque;
use std::io;

use super::credit::BUF_ALLOC;

/// All that can ever wait: what the guest may send ahead, and the device's own line.
const CAPACITY: usize = BUF_ALLOC as usize + GREETING_MAX;
/// `OK 4294967295\n`
const GREETING_MAX: usize = 14;

/// A first-in first-out buffer that holds memory only while it holds bytes. Its owner bounds it: a
/// guest may not send more than [`BUF_ALLOC`] bytes ahead.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: VecDeque<u8>,
    /// How many bytes at the front are the device's own (the `OK` line) and no credit of the guest.
    greeting: usize,
}

/// What came of handing bytes to a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// This many bytes of the guest's went out; the rest, if any, waits in the buffer.
    Sent(u32),
    /// The stream takes no more, now or ever. The buffer is empty; this many bytes of the guest's
    /// left it or never entered it.
    Broken(u32),
}

impl Buffer {
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Sends the device's own line, ahead of all that the guest will say.
    pub fn greet(&mut self, line: &[u8], write: impl FnMut(&[u8]) -> io::Result<usize>) -> Flow {
        self.greeting += line.len();
        self.send(line, write)
    }

    /// Sends `data` after what is in the buffer; what the stream does not take is kept.
    pub fn send(&mut self, data: &[u8], mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> Flow {
        let mut sent = 0;
        if self.bytes.is_empty() {
            while sent < data.len() {
                match attempt(&mut write, &data[sent..]) {
                    Ok(0) => break,
                    Ok(taken) => sent += taken,
                    Err(_) => return Flow::Broken(self.uncounted(data.len())),
                }
            }
        }
        let rest = &data[sent..];
        if !rest.is_empty() {
            // All at once: the pages are only touched as they fill.
            self.bytes.reserve_exact(CAPACITY.saturating_sub(self.bytes.len()));
            self.bytes.extend(rest);
        }
        Flow::Sent(self.uncounted(sent))
    }

    /// Offers the stream what is in the buffer.
    pub fn flush(&mut self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> Flow {
        let before = self.bytes.len();
        while !self.bytes.is_empty() {
            match attempt(&mut write, self.bytes.as_slices().0) {
                Ok(0) => break,
                Ok(taken) => drop(self.bytes.drain(..taken)),
                Err(_) => {
                    self.bytes = VecDeque::new();
                    return Flow::Broken(self.uncounted(before));
                }
            }
        }
        let sent = before - self.bytes.len();
        if self.bytes.is_empty() {
            self.bytes = VecDeque::new();
        }
        Flow::Sent(self.uncounted(sent))
    }

    /// Of `bytes` that left the front, those that are the guest's.
    fn uncounted(&mut self, bytes: usize) -> u32 {
        let own = self.greeting.min(bytes);
        self.greeting -= own;
        (bytes - own) as u32
    }
}

/// One write; `Ok(0)`: not now.
fn attempt(write: &mut impl FnMut(&[u8]) -> io::Result<usize>, data: &[u8]) -> io::Result<usize> {
    match write(data) {
        Ok(taken) => Ok(taken.min(data.len())),
        Err(error) if is_transient(&error) => Ok(0),
        Err(error) => Err(error),
    }
}

/// Whether the same call may succeed later.
pub(super) fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A stream that takes `room` bytes.
    fn take(room: &mut usize, out: &mut Vec<u8>, data: &[u8]) -> io::Result<usize> {
        let taken = data.len().min(*room);
        *room -= taken;
        out.extend(&data[..taken]);
        if taken == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(taken) }
    }

    fn sent(flow: Flow) -> usize {
        match flow {
            Flow::Sent(bytes) => bytes as usize,
            Flow::Broken(_) => panic!("{flow:?}"),
        }
    }

    fn pattern(range: std::ops::Range<usize>) -> Vec<u8> {
        range.map(|at| (at % 251) as u8).collect()
    }

    proptest! {
        #[test]
        fn bytes_leave_in_order_and_memory_with_them(
            steps in prop::collection::vec((0..3000usize, 0..3000usize), 0..60),
            greeting in 0..GREETING_MAX,
        ) {
            let (mut buffer, mut out, mut total) = (Buffer::default(), vec![], 0);
            let line = vec![0xff; greeting];
            let (mut little, mut plenty) = (3, usize::MAX);
            let mut counted = sent(buffer.greet(&line, |data| take(&mut little, &mut out, data)));
            for (len, mut room) in steps {
                counted += if buffer.len() + len <= BUF_ALLOC as usize {
                    let data = pattern(total..total + len);
                    total += len;
                    sent(buffer.send(&data, |data| take(&mut room, &mut out, data)))
                } else {
                    sent(buffer.flush(|data| take(&mut room, &mut out, data)))
                };
                prop_assert!(buffer.bytes.capacity() <= 2 * CAPACITY);
            }
            counted += sent(buffer.flush(|data| take(&mut plenty, &mut out, data)));
            prop_assert_eq!((buffer.bytes.capacity(), counted), (0, total));
            prop_assert!(out == [line, pattern(0..total)].concat());
        }
    }

    #[test]
    fn a_stream_that_breaks_empties_the_buffer() {
        let block = |_: &[u8]| Err(io::ErrorKind::WouldBlock.into());
        let breaks = |_: &[u8]| Err(io::ErrorKind::BrokenPipe.into());
        let mut buffer = Buffer::default();
        assert_eq!(buffer.greet(b"OK\n", block), Flow::Sent(0));
        assert_eq!(buffer.send(b"12345", block), Flow::Sent(0));
        assert_eq!(buffer.flush(breaks), Flow::Broken(5));
        assert!(buffer.is_empty());
        assert_eq!(buffer.send(b"123", breaks), Flow::Broken(3));
    }
}
