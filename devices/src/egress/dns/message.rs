//! DNS messages, as far as a question goes (RFC 1035 §4).

use std::fmt;

use crate::egress::packet::u16_at;

/// The header of a message (RFC 1035 §4.1.1).
pub(super) const HEADER: usize = 12;
/// Bits of its second word (RFC 1035 §4.1.1, RFC 4035 §3.2).
pub(in crate::egress) mod bits {
    pub const RESPONSE: u16 = 0x8000;
    pub const OPCODE: u16 = 0x7800;
    pub const RECURSION_DESIRED: u16 = 0x0100;
    pub const RECURSION_AVAILABLE: u16 = 0x0080;
    pub const AUTHENTIC: u16 = 0x0020;
    pub const CHECKING_DISABLED: u16 = 0x0010;
    pub const RCODE: u16 = 0x000f;
    /// Not for policy's sake (RFC 1035 §4.1.1).
    pub const REFUSED: u16 = 5;
}
/// The class of the Internet (RFC 1035 §3.2.4).
pub(super) const INTERNET: u16 = 1;
/// The record of EDNS (RFC 6891 §6.1.1).
const OPT: u16 = 41;
/// The longest name, as it is sent (RFC 1035 §2.3.4).
const MAX_NAME: usize = 255;
/// From this on a label's first byte is no length, but a pointer or nothing that is known (RFC 1035 §4.1.4).
const MAX_LABEL: u8 = 63;
const POINTER: u8 = 0xc0;

/// A name as it is sent: labels with a length before each, in small letters, without the empty one at the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::egress) struct Name(Vec<u8>);

impl Name {
    /// From left to right.
    pub fn labels(&self) -> Vec<&[u8]> {
        let mut rest = &self.0[..];
        std::iter::from_fn(|| {
            let (length, more) = rest.split_first()?;
            let (label, more) = more.split_at_checked(usize::from(*length))?;
            rest = more;
            Some(label)
        })
        .collect()
    }
}

/// As people write it; bytes that are no letters, digits, `-` or `_` in three digits (RFC 1035 §5.1).
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(".");
        }
        for (index, label) in self.labels().into_iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            for byte in label {
                match byte {
                    b'-' | b'_' => write!(f, "{}", char::from(*byte))?,
                    _ if byte.is_ascii_alphanumeric() => write!(f, "{}", char::from(*byte))?,
                    _ => write!(f, "\\{byte:03}")?,
                }
            }
        }
        Ok(())
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::egress) struct Question {
    pub id: u16,
    /// Whether the resolver is to ask others.
    pub recursion_desired: bool,
    pub name: Name,
    pub kind: u16,
    pub class: u16,
    /// The question as it was sent, in its own letters: an answer repeats it.
    pub bytes: Vec<u8>,
}

/// A message's number.
pub(super) fn id(message: &[u8]) -> Option<u16> {
    u16_at(message, 0)
}

/// The question of a message that is nothing but one question, and what EDNS adds to it.
pub(super) fn question(message: &[u8]) -> Option<Question> {
    let flags = u16_at(message, 2)?;
    let known = bits::RECURSION_DESIRED | bits::AUTHENTIC | bits::CHECKING_DISABLED;
    let counts = (u16_at(message, 4)?, u16_at(message, 6)?, u16_at(message, 8)?);
    let additional = u16_at(message, 10)?;
    if flags & !known != 0 || counts != (1, 0, 0) || additional > 1 {
        return None;
    }
    let (question, end) = question_at_start(message)?;
    let end = if additional == 1 { edns(message, end)? } else { end };
    (end == message.len()).then_some(question)
}

/// The first question of any message, and where it ends. It may not point elsewhere: there is nothing before it.
pub(super) fn question_at_start(message: &[u8]) -> Option<(Question, usize)> {
    let (name, end) = name(message, HEADER, false)?;
    let question = Question {
        id: id(message)?,
        recursion_desired: u16_at(message, 2)? & bits::RECURSION_DESIRED != 0,
        name,
        kind: u16_at(message, end)?,
        class: u16_at(message, end + 2)?,
        bytes: message.get(HEADER..end + 4)?.to_vec(),
    };
    (question.class == INTERNET).then_some((question, end + 4))
}

/// Where the record of EDNS ends that begins there.
fn edns(message: &[u8], start: usize) -> Option<usize> {
    let root = message.get(start) == Some(&0);
    let opt = u16_at(message, start + 1)? == OPT;
    let length = usize::from(u16_at(message, start + 9)?);
    (root && opt).then_some(start + 11 + length)
}

/// The name that begins there, and where it ends. Each pointer leads to before the one that led there, so that there
/// is an end.
pub(super) fn name(message: &[u8], start: usize, pointers: bool) -> Option<(Name, usize)> {
    let mut name = Vec::new();
    let mut at = start;
    let mut end = None;
    let mut before = start;
    loop {
        let length = *message.get(at)?;
        match length {
            0 => return Some((Name(name), end.unwrap_or(at + 1))),
            1..=MAX_LABEL => {
                let next = at + 1 + usize::from(length);
                name.extend(message.get(at..next)?.iter().map(u8::to_ascii_lowercase));
                at = next;
                if name.len() >= MAX_NAME {
                    return None;
                }
            }
            POINTER.. if pointers => {
                let target = usize::from(u16_at(message, at)? & 0x3fff);
                end = end.or(Some(at + 2));
                if target >= before {
                    return None;
                }
                before = target;
                at = target;
            }
            _ => return None,
        }
    }
}

/// The answer to a question that the filter refuses.
pub(in crate::egress) fn refusal(question: &Question) -> Vec<u8> {
    let desired = if question.recursion_desired { bits::RECURSION_DESIRED } else { 0 };
    let flags = bits::RESPONSE | desired | bits::RECURSION_AVAILABLE | bits::REFUSED;
    let words = [question.id, flags, 1, 0, 0, 0];
    let mut message: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    message.extend(&question.bytes);
    message
}
