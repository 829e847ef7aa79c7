//! A container's identity: 256 random bits, as docker has them.

use std::fmt;
use std::io;

use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

/// 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl Id {
    const LENGTH: usize = 64;
    const SHORT: usize = 12;

    /// A new one.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0u8; Self::LENGTH / 2];
        // getrandom(2): up to 256 bytes come whole.
        getrandom(&mut bytes[..], GetRandomFlags::empty())?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// The start of it, which people are shown.
    pub fn short(&self) -> &str {
        &self.0[..Self::SHORT]
    }

    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text.len() == Self::LENGTH && text.bytes().all(digit) {
            true => Ok(Self(text)),
            false => Err(format!("'{}' is not an ID of 64 digits", text.escape_debug())),
        }
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}
