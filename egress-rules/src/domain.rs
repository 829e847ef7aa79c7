//! A name, or all names below one.

use std::fmt;

/// The longest label, in bytes (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;
/// The longest name as people write it: 255 bytes on the wire are 253 with dots (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;

/// A name, or all names below one, in small letters: DNS takes no notice of case (RFC 4343).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    name: String,
    below: bool,
}

impl Domain {
    /// `example.org`, `example.org.` or `*.example.org`; `None` if that can be no host's name. Names in other letters
    /// than ASCII are written as DNS carries them (`xn--…`).
    pub fn parse(text: &str) -> Option<Self> {
        let (name, below) = text.strip_prefix("*.").map_or((text, false), |name| (name, true));
        let name = name.strip_suffix('.').unwrap_or(name);
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let label =
            |label: &str| (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(letter);
        let last = name.rsplit('.').next().unwrap_or_default();
        let number = last.bytes().all(|byte| byte.is_ascii_digit());
        (name.len() <= MAX_NAME && name.split('.').all(label) && !number)
            .then(|| Self { name: name.to_ascii_lowercase(), below })
    }

    /// Whether a name, given by its labels from the left, is this one or one below it. A label is compared as a whole:
    /// one that contains a dot is not two.
    pub fn matches<'a>(&self, labels: impl DoubleEndedIterator<Item = &'a [u8]>) -> bool {
        let mut theirs = labels.rev();
        for ours in self.name.rsplit('.') {
            match theirs.next() {
                Some(label) if label.eq_ignore_ascii_case(ours.as_bytes()) => {}
                _ => return false,
            }
        }
        theirs.next().is_some() == self.below
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "*." } else { "" }, self.name)
    }
}
