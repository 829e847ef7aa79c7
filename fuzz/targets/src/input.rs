//! A fuzzer's bytes, taken apart into the choices of a target.

/// What is left of the bytes. When they are used up there are no more choices: the target ends.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of them.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// A byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Yes or no.
    pub fn bool(&mut self) -> Option<bool> {
        self.u8().map(|byte| byte & 1 != 0)
    }

    /// A number that is small, or now and then any number at all.
    pub fn number(&mut self) -> Option<u64> {
        match self.u8()? {
            byte @ 0..=0xf7 => Some(byte.into()),
            0xf8..=0xfb => self.u16().map(u64::from),
            0xfc..=0xfe => self.u32().map(u64::from),
            0xff => self.u64(),
        }
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// The pieces between bytes of zero: seeds of text stay readable, and the fuzzer finds the places by itself.
pub fn pieces<const N: usize>(bytes: &[u8]) -> [&[u8]; N] {
    let mut pieces = bytes.splitn(N, |&byte| byte == 0);
    std::array::from_fn(|_| pieces.next().unwrap_or_default())
}
