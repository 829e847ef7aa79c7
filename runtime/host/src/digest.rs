//! SHA-256 digests, and readers that check them while data flows through.

use std::fmt;
use std::io::{self, Read};

use serde::de::{self, Unexpected};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of everything that `input` gives.
    pub fn of_reader(input: impl Read) -> io::Result<Self> {
        let mut reader = DigestReader::new(input);
        io::copy(&mut reader, &mut io::sink())?;
        Ok(reader.finish().0)
    }

    /// The 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A digest written as `sha256:` and 64 lower-case hexadecimal digits (OCI image specification, "Digests").
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_hex(text.strip_prefix("sha256:")?)
    }

    /// A digest written as 64 lower-case hexadecimal digits.
    pub fn parse_hex(digits: &str) -> Option<Self> {
        let lower = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != 64 || !digits.bytes().all(lower) {
            return None;
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let expected = &"'sha256:' and 64 lower-case hexadecimal digits";
        Self::parse(&text).ok_or_else(|| de::Error::invalid_value(Unexpected::Str(&text), expected))
    }
}

/// What was read is not what was promised.
#[derive(Debug, Error, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Mismatch {
    #[error("its digest is {actual}, expected {expected}")]
    Digest { expected: Digest, actual: Digest },
    #[error("it is {actual} bytes long, expected {expected}")]
    Size { expected: u64, actual: u64 },
}

/// Hashes and counts what is read through it.
pub struct DigestReader<R> {
    input: R,
    hash: Sha256,
    count: u64,
}

impl<R: Read> DigestReader<R> {
    /// A reader that has seen nothing yet.
    pub fn new(input: R) -> Self {
        Self { input, hash: Sha256::new(), count: 0 }
    }

    /// How many bytes were read.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The digest and the number of bytes read.
    pub fn finish(self) -> (Digest, u64) {
        let (digest, count, _) = self.into_parts();
        (digest, count)
    }

    /// Likewise, and the input.
    pub fn into_parts(self) -> (Digest, u64, R) {
        (Digest(self.hash.finalize().into()), self.count, self.input)
    }
}

impl<R: Read> Read for DigestReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buf)?;
        self.hash.update(&buf[..count]);
        self.count += count as u64;
        Ok(count)
    }
}
