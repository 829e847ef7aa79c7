//! Questions over TCP: a stream of messages with a length before each (RFC 1035 §4.2.2, RFC 7766).
//!
//! A filter that judges each segment at once can't wait for the rest of a question. So a segment passes if it is whole
//! questions, the very next in the stream, or the last one again. Resolver libraries send questions so, glibc's two at
//! once, for both kinds of addresses; one that sends the length alone gets nowhere. With that the bytes that pass are those
//! the resolver puts together, whatever else was tried.

use super::super::packet::{Tcp, u16_at};
use crate::limits::DNS_TOGETHER;

/// The length before a message (RFC 1035 §4.2.2).
const LENGTH: usize = 2;

/// A connection that a resolver took.
#[derive(Debug)]
pub(super) struct Stream {
    /// The number of the guest's first byte.
    start: u32,
    /// That of the next which the resolver has not got.
    next: u32,
    /// The segment before that.
    last: Vec<u8>,
    /// Where the resolver's answers are; `None` once something was missed.
    answers: Option<Answers>,
}

/// A place in the resolver's stream.
#[derive(Clone, Copy, Debug)]
struct Answers {
    /// The number of the next byte.
    next: u32,
    /// How many more bytes the message has that is not whole yet.
    rest: u32,
}

/// What a segment of the guest's is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Segment<'a> {
    /// The next messages, whole: one at least.
    Messages(Vec<&'a [u8]>),
    /// The one that passed last.
    Again,
    /// Anything else.
    Unreadable,
}

impl Stream {
    /// `tcp` is the resolver's SYN and ACK.
    pub fn new(tcp: &Tcp<'_>) -> Self {
        // A SYN counts as a byte (RFC 9293 §3.4).
        let answers = Some(Answers { next: tcp.sequence.wrapping_add(1), rest: 0 });
        Self { start: tcp.acknowledgment, next: tcp.acknowledgment, last: Vec::new(), answers }
    }

    /// Whether the guest's bytes begin at this number.
    pub fn begins_at(&self, start: u32) -> bool {
        self.start == start
    }

    pub fn segment<'a>(&self, tcp: &Tcp<'a>) -> Segment<'a> {
        let before = self.next.wrapping_sub(length(&self.last));
        if tcp.sequence == before && tcp.payload == self.last {
            return Segment::Again;
        }
        match messages(tcp.payload, 0) {
            Some((messages, 0))
                if tcp.sequence == self.next && (1..=DNS_TOGETHER).contains(&messages.len()) =>
            {
                Segment::Messages(messages)
            }
            _ => Segment::Unreadable,
        }
    }

    /// The segment passed.
    pub fn passed(&mut self, tcp: &Tcp<'_>) {
        self.next = tcp.sequence.wrapping_add(length(tcp.payload));
        self.last = tcp.payload.to_vec();
    }

    /// The messages that are whole in a segment of the resolver's, and begin where one does. A stretch of bytes in the
    /// middle of one may look like a message too, and whoever made that one could choose it.
    pub fn answer<'a>(&mut self, tcp: &Tcp<'a>) -> Vec<&'a [u8]> {
        let Some(answers) = self.answers else { return Vec::new() };
        let ahead = tcp.sequence.wrapping_sub(answers.next);
        if tcp.payload.is_empty() || ahead > u32::MAX / 2 {
            // Nothing, or what came before.
            let again = length(tcp.payload).wrapping_add(ahead);
            if !tcp.payload.is_empty() && (1..=u32::MAX / 2).contains(&again) {
                self.answers = None;
            }
            return Vec::new();
        }
        let next = tcp.sequence.wrapping_add(length(tcp.payload));
        let read = messages(tcp.payload, answers.rest).filter(|_| ahead == 0);
        self.answers = read.as_ref().map(|(_, rest)| Answers { next, rest: *rest });
        read.map(|(messages, _)| messages).unwrap_or_default()
    }
}

/// The messages that are whole behind the first `rest` bytes, which belong to an earlier one, and how much is missing of the
/// last; `None` if not even its length is whole.
fn messages(bytes: &[u8], rest: u32) -> Option<(Vec<&[u8]>, u32)> {
    let mut messages = Vec::new();
    let Some(mut bytes) = bytes.get(rest as usize..) else {
        return Some((messages, rest - length(bytes)));
    };
    while !bytes.is_empty() {
        let whole = LENGTH + usize::from(u16_at(bytes, 0)?);
        let Some((message, more)) = bytes.split_at_checked(whole) else {
            return Some((messages, whole as u32 - length(bytes)));
        };
        messages.push(&message[LENGTH..]);
        bytes = more;
    }
    Some((messages, 0))
}

/// A segment is part of a frame, which is far shorter than 4 GiB.
fn length(bytes: &[u8]) -> u32 {
    bytes.len() as u32
}
