//! A Unix stream socket with a program like passt at the other end (passt(1), "--fd"): before each frame stands its
//! length, of 4 bytes, the highest first; there is no header.
//!
//! The peer is trusted as far as any network is. A length that cannot be ends the link: after it there is no telling
//! where the next frame begins.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use devices::egress::handshake::acknowledgment;
use devices::limits::ANSWERS;
use devices::virtio::net::{HEADER_LEN, Refusal, Sent};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::loopback::is_for_loopback;

/// The longest frame in bytes (passt's tap.h: `L2_MAX_LEN_PASST`).
pub const MAX_FRAME: usize = 65_535;
/// Length of a frame's length.
const LENGTH: usize = 4;
/// Bytes that are read ahead: two of the longest frames, so that one call fetches many small ones.
const BUFFER: usize = 2 * (LENGTH + MAX_FRAME);

/// A connected socket that does not block.
pub struct Stream {
    socket: OwnedFd,
    /// What it did not take yet of a frame.
    rest: Vec<u8>,
    sent: usize,
    /// Frames for the guest that are answers to its own.
    answers: VecDeque<Vec<u8>>,
    buffer: Box<[u8]>,
    /// Where in `buffer` that is which was read and not given to the device.
    unread: std::ops::Range<usize>,
}

impl Stream {
    /// Over a connected socket that does not block.
    pub fn new(socket: OwnedFd) -> Stream {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        let (rest, answers) = (Vec::new(), VecDeque::new());
        Stream { socket, rest, sent: 0, answers, buffer, unread: 0..0 }
    }

    /// For a driver that begins, and has sent nothing yet.
    pub fn start(&mut self) {
        self.answers.clear();
    }

    /// Sends a packet's frame. The length comes into the header's place.
    pub fn send(&mut self, packet: &mut [u8]) -> Result<Sent, Refusal> {
        self.flush()?;
        let frame = packet.len().saturating_sub(HEADER_LEN);
        if frame > MAX_FRAME || packet.get(HEADER_LEN..).is_some_and(is_for_loopback) {
            return Ok(Sent::Dropped);
        }
        let bytes = &mut packet[HEADER_LEN - LENGTH..];
        bytes[..LENGTH].copy_from_slice(&(frame as u32).to_be_bytes());
        let sent = self.write(bytes)?;
        if sent < bytes.len() {
            self.rest.extend(&bytes[sent..]);
        }
        if self.answers.len() < ANSWERS {
            self.answers.extend(acknowledgment(&packet[HEADER_LEN..]));
        }
        Ok(Sent::Taken)
    }

    /// Sends what is left of a frame.
    pub fn flush(&mut self) -> Result<(), Refusal> {
        while self.sent < self.rest.len() {
            self.sent += self.write(&self.rest[self.sent..])?;
        }
        self.rest.clear();
        self.sent = 0;
        Ok(())
    }

    /// Receives a frame, behind a header of zeroes.
    pub fn receive(&mut self, packet: &mut [u8]) -> Result<usize, Refusal> {
        if let Some(answer) = self.answers.pop_front() {
            return Ok(put(packet, &answer));
        }
        if let Some(len) = self.next_frame(packet)? {
            return Ok(len);
        }
        // Once: a peer that sends byte by byte is called for by the poll, in turn with all others.
        self.fill()?;
        self.next_frame(packet)?.ok_or(Refusal::WouldBlock)
    }

    /// The next frame of those that were read.
    fn next_frame(&mut self, packet: &mut [u8]) -> Result<Option<usize>, Refusal> {
        let unread = &self.buffer[self.unread.clone()];
        let Some((length, rest)) = unread.split_first_chunk::<LENGTH>() else { return Ok(None) };
        let frame = u32::from_be_bytes(*length) as usize;
        if !(1..=MAX_FRAME).contains(&frame) {
            log::debug!("a network's peer announced a frame of {frame} bytes");
            return Err(Refusal::Gone);
        }
        let Some(bytes) = rest.get(..frame) else { return Ok(None) };
        self.unread.start += LENGTH + frame;
        Ok(Some(put(packet, bytes)))
    }

    /// Whether there is something to receive that the socket does not tell of.
    pub fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Writes as much as the socket takes. A peer that has gone takes all, which is lost, until what it said last is received:
    /// whoever receives that finds its end.
    fn write(&self, bytes: &[u8]) -> Result<usize, Refusal> {
        match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => Ok(sent),
            Err(Errno::AGAIN | Errno::INTR) => Err(Refusal::WouldBlock),
            Err(_) if self.has_unread() => Ok(bytes.len()),
            Err(_) => Err(Refusal::Gone),
        }
    }

    fn has_unread(&self) -> bool {
        let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        !self.unread.is_empty()
            || recv(&self.socket, &mut [0], peek).is_ok_and(|(_, length)| length > 0)
    }

    /// Reads what there is, behind the beginning of a frame.
    fn fill(&mut self) -> Result<(), Refusal> {
        // Of a frame that is not whole there is always room for the rest, once it stands at the front.
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        match rustix::io::read(&self.socket, &mut self.buffer[self.unread.end..]) {
            Ok(0) => Err(Refusal::Gone),
            Ok(read) => {
                self.unread.end += read;
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR) => Err(Refusal::WouldBlock),
            Err(_) => Err(Refusal::Gone),
        }
    }
}

/// A frame, behind a header of zeroes; their length.
fn put(packet: &mut [u8], frame: &[u8]) -> usize {
    let len = HEADER_LEN + frame.len();
    packet[..HEADER_LEN].fill(0);
    packet[HEADER_LEN..len].copy_from_slice(frame);
    len
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
