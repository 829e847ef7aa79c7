//! The header record and its number formats.

use super::{TarError, printable};

/// One checked header record. Fields: POSIX.1-2001 pax, "ustar Interchange Format"; GNU tar manual,
/// "Basic Tar Format".
pub struct Header([u8; 512]);

/// Where a field stands in the record, and how long it is.
type Field = (usize, usize);

const NAME: Field = (0, 100);
const MODE: Field = (100, 8);
const UID: Field = (108, 8);
const GID: Field = (116, 8);
const SIZE: Field = (124, 12);
const MTIME: Field = (136, 12);
const CHECKSUM: Field = (148, 8);
const TYPE_FLAG: usize = 156;
const LINK_NAME: Field = (157, 100);
const MAGIC: Field = (257, 6);
const DEVICE_MAJOR: Field = (329, 8);
const DEVICE_MINOR: Field = (337, 8);
const PREFIX: Field = (345, 155);

impl Header {
    /// The record as a header, when its checksum says that it is one.
    pub fn parse(record: [u8; 512]) -> Option<Self> {
        let header = Self(record);
        let stored = header.number(CHECKSUM)?;
        // The sum of all bytes with the checksum field taken as spaces; some old writers summed signed bytes.
        let (mut unsigned, mut signed) = (0i128, 0i128);
        for (index, &byte) in record.iter().enumerate() {
            let in_checksum = (CHECKSUM.0..CHECKSUM.0 + CHECKSUM.1).contains(&index);
            let byte = if in_checksum { b' ' } else { byte };
            unsigned += i128::from(byte);
            signed += i128::from(byte as i8);
        }
        (stored == unsigned || stored == signed).then_some(header)
    }

    /// The member's type.
    pub fn type_flag(&self) -> u8 {
        self.0[TYPE_FLAG]
    }

    /// The name, joined from prefix and name where the header is POSIX's (GNU's own has other fields there).
    pub fn name(&self) -> Vec<u8> {
        let name = self.text(NAME);
        let prefix = if self.bytes(MAGIC) == b"ustar\0" { self.text(PREFIX) } else { b"" };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    /// The name that a link refers to.
    pub fn link_name(&self) -> Vec<u8> {
        self.text(LINK_NAME).to_vec()
    }

    /// Permission bits.
    pub fn mode(&self) -> Option<u32> {
        self.number(MODE)?.try_into().ok()
    }

    pub fn uid(&self) -> Option<u32> {
        self.number(UID)?.try_into().ok()
    }

    pub fn gid(&self) -> Option<u32> {
        self.number(GID)?.try_into().ok()
    }

    /// Length of the data.
    pub fn size(&self) -> Option<u64> {
        // More than i64::MAX bytes exist nowhere; this keeps every later sum far from the edge.
        self.number(SIZE)?.try_into().ok().filter(|&size: &u64| size <= i64::MAX as u64)
    }

    /// Seconds since 1970.
    pub fn mtime(&self) -> Option<i64> {
        self.number(MTIME)?.try_into().ok()
    }

    /// Major and minor number of a device.
    pub fn device(&self) -> Option<(u32, u32)> {
        let major = self.number(DEVICE_MAJOR)?.try_into().ok()?;
        Some((major, self.number(DEVICE_MINOR)?.try_into().ok()?))
    }

    /// The error that `field` of this header deserves.
    pub fn bad_field(&self, field: &'static str, offset: u64) -> TarError {
        TarError::Field { offset, member: printable(&self.name()), field }
    }

    fn bytes(&self, (at, len): Field) -> &[u8] {
        &self.0[at..at + len]
    }

    /// A text field ends at its first NUL, or at its end.
    fn text(&self, field: Field) -> &[u8] {
        let bytes = self.bytes(field);
        &bytes[..bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len())]
    }

    /// A number is octal text, or GNU's base-256: two's complement with the top bit of the first byte set.
    fn number(&self, field: Field) -> Option<i128> {
        let bytes = self.bytes(field);
        if bytes[0] & 0x80 != 0 {
            // Bit 6 is the sign; at most 12 bytes of it fit an i128 with room to spare.
            let sign = if bytes[0] & 0x40 != 0 { -1 } else { 0 };
            let first = (sign << 6) | i128::from(bytes[0] & 0x3f);
            return Some(bytes[1..].iter().fold(first, |sum, &byte| (sum << 8) | i128::from(byte)));
        }
        let text = std::str::from_utf8(self.text(field)).ok()?.trim_matches(' ');
        // An empty field is a zero to every tar, and one that starts with a sign is not a number.
        match text.as_bytes().first() {
            None => Some(0),
            Some(b'0'..=b'7') => i128::from_str_radix(text, 8).ok(),
            Some(_) => None,
        }
    }
}
