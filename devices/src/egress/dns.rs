//! Questions for names, and what their answers let through.

mod answer;
mod message;
mod stream;

use std::net::IpAddr;
use std::time::Duration;

pub(super) use message::{Name, Question, refusal};

use self::stream::{Segment, Stream};
use super::packet::{Tcp, flag};
use super::table::Table;
use crate::limits::{DNS_STREAM_IDLE, DNS_STREAMS, DNS_TOGETHER, QUESTION_TIME, QUESTIONS};

/// Who asks whom: resolver, guest's address, guest's port.
pub(super) type Asker = (IpAddr, IpAddr, u16);

/// A question that waits for its answer: who asked whom, over TCP or UDP, and under which number.
type Key = (Asker, bool, u16);

/// Questions that are under way.
#[derive(Debug)]
pub(super) struct Dns {
    questions: Table<Key, Question>,
    streams: Table<Asker, Stream>,
}

/// What becomes of what a guest sends to a resolver.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It goes on.
    Pass,
    /// It asks for a name that is on no list.
    Refused(Question),
    /// It is no question, or not one that the filter can read.
    Malformed,
}

impl Dns {
    pub fn new() -> Self {
        Self { questions: Table::new(QUESTIONS), streams: Table::new(DNS_STREAMS) }
    }

    /// Takes a datagram for a resolver.
    pub fn ask(
        &mut self,
        asker: Asker,
        message: &[u8],
        allowed: impl Fn(&Name) -> bool,
        now: Duration,
    ) -> Asked {
        let asked = look_at(message, allowed);
        if let Ok(question) = &asked {
            self.remember(asker, false, question, now);
        }
        asked.map_or_else(|refused| refused, |_| Asked::Pass)
    }

    /// Takes a segment for a resolver. What has no data can ask for nothing. Of several questions each must be allowed.
    pub fn ask_by_stream(
        &mut self,
        asker: Asker,
        tcp: &Tcp<'_>,
        allowed: impl Fn(&Name) -> bool,
        now: Duration,
    ) -> Asked {
        // The urgent byte is taken out of the stream, wherever that is (RFC 6093 §2).
        if tcp.flags & flag::URG != 0 {
            return Asked::Malformed;
        }
        if tcp.payload.is_empty() {
            return Asked::Pass;
        }
        let whole = tcp.flags & (flag::SYN | flag::RST | flag::ACK) == flag::ACK;
        let Some(stream) = self.streams.get(&asker, now).filter(|_| whole) else {
            return Asked::Malformed;
        };
        let messages = match stream.segment(tcp) {
            Segment::Again => return Asked::Pass,
            Segment::Messages(messages) => messages,
            Segment::Unreadable => return Asked::Malformed,
        };
        let questions = messages.into_iter().map(|message| look_at(message, &allowed));
        match questions.collect::<Result<Vec<Question>, Asked>>() {
            Ok(questions) => {
                stream.passed(tcp);
                self.streams.renew(&asker, now + DNS_STREAM_IDLE);
                questions.iter().for_each(|question| self.remember(asker, true, question, now));
                Asked::Pass
            }
            Err(refused) => refused,
        }
    }

    fn remember(&mut self, asker: Asker, tcp: bool, question: &Question, now: Duration) {
        self.questions.insert((asker, tcp, question.id), question.clone(), now + QUESTION_TIME);
    }

    /// Takes a datagram of a resolver; gives the question that it answers, and the addresses in the answer with the
    /// seconds for which they are good.
    pub fn answered(
        &mut self,
        asker: Asker,
        message: &[u8],
        now: Duration,
    ) -> Option<(Question, Vec<(IpAddr, u32)>)> {
        self.settle(asker, false, message, now)
    }

    /// Takes a segment of a resolver, which may have several answers. One in more than one segment lets nothing through.
    pub fn answered_by_stream(
        &mut self,
        asker: Asker,
        tcp: &Tcp<'_>,
        now: Duration,
    ) -> Vec<(Question, Vec<(IpAddr, u32)>)> {
        if tcp.flags & flag::SYN != 0 {
            self.opened(asker, tcp, now);
            return Vec::new();
        }
        let stream = self.streams.get(&asker, now);
        let messages = stream.map(|stream| stream.answer(tcp)).unwrap_or_default();
        let messages = messages.into_iter().take(DNS_TOGETHER);
        messages.filter_map(|message| self.settle(asker, true, message, now)).collect()
    }

    /// A resolver takes a connection. Only what it says itself tells where the bytes of it begin: a guest's own SYN may
    /// be one that the resolver does not care for, because it has the connection already.
    fn opened(&mut self, asker: Asker, tcp: &Tcp<'_>, now: Duration) {
        if tcp.flags & flag::ACK == 0 || tcp.flags & flag::RST != 0 {
            return;
        }
        if let Some(stream) = self.streams.get(&asker, now) {
            // Said again. Bytes may have passed since.
            if stream.begins_at(tcp.acknowledgment) {
                return;
            }
        } else if self.streams.is_full(now) {
            // Nothing makes room but time: a stream that is forgotten and found again would not know what had passed.
            return;
        }
        self.streams.insert(asker, Stream::new(tcp), now + DNS_STREAM_IDLE);
    }

    fn settle(
        &mut self,
        asker: Asker,
        tcp: bool,
        message: &[u8],
        now: Duration,
    ) -> Option<(Question, Vec<(IpAddr, u32)>)> {
        let key = (asker, tcp, message::id(message)?);
        let question = self.questions.get(&key, now)?;
        let addresses = answer::addresses(message, question)?;
        Some((self.questions.remove(&key)?, addresses))
    }

    #[cfg(test)]
    pub fn under_way(&self) -> (usize, usize) {
        (self.questions.len(), self.streams.len())
    }
}

/// The question in a message, if it may be asked.
fn look_at(message: &[u8], allowed: impl Fn(&Name) -> bool) -> Result<Question, Asked> {
    let question = message::question(message).ok_or(Asked::Malformed)?;
    if allowed(&question.name) { Ok(question) } else { Err(Asked::Refused(question)) }
}
