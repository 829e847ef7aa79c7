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
const VERSION: Field = (263, 2);
const DEVICE_MAJOR: Field = (329, 8);
const DEVICE_MINOR: Field = (337, 8);
const PREFIX: Field = (345, 155);
/// star's own end of the record ("star(5)", "The basic TAR header"), and the prefix that leaves room for two times before it.
const STAR_MAGIC: Field = (508, 4);
const STAR_PREFIX: Field = (345, 131);
/// Fields of GNU's own header (GNU tar manual, "Basic Tar Format": `struct oldgnu_header`).
const GNU_ACCESS_TIME: Field = (345, 12);
const GNU_CHANGE_TIME: Field = (357, 12);
const GNU_SPARSE: Field = (386, 96);
const GNU_IS_EXTENDED: usize = 482;
const GNU_REAL_SIZE: Field = (483, 12);
/// Of the record that goes on with a map of a sparse file (`struct sparse_header`).
const GNU_MORE_SPARSE: Field = (0, 504);
const GNU_MORE_IS_EXTENDED: usize = 504;
/// A part of a sparse file: where it is, and how long (`struct sparse`).
const GNU_PART: usize = 24;

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

    /// The name, joined from prefix and name where the header has a prefix.
    pub fn name(&self) -> Vec<u8> {
        let (name, prefix) = (self.text(NAME), self.prefix());
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    /// The start of a long name. GNU's header has two times in its place, but docker wrote prefixes there until 2017 (Go's
    /// archive/tar before 1.8), and reads them.
    fn prefix(&self) -> &[u8] {
        let is_time = |field: Field| self.bytes(field)[0] == 0 || self.number(field).is_some();
        if self.bytes(MAGIC) == b"ustar\0" {
            let is_star = self.bytes(STAR_MAGIC) == b"tar\0";
            self.text(if is_star { STAR_PREFIX } else { PREFIX })
        } else if self.is_gnu() && !(is_time(GNU_ACCESS_TIME) && is_time(GNU_CHANGE_TIME)) {
            Some(self.text(PREFIX)).filter(|prefix| prefix.is_ascii()).unwrap_or_default()
        } else {
            b""
        }
    }

    /// Whether the header is GNU's own.
    fn is_gnu(&self) -> bool {
        self.bytes(MAGIC) == b"ustar " && self.bytes(VERSION) == b" \0"
    }

    /// The length of a sparse file with its holes, the parts of it that the header tells of, and whether a record with more
    /// parts follows; in GNU's own header only.
    pub fn sparse(&self) -> Option<(u64, Vec<Part>, bool)> {
        let size = self.number(GNU_REAL_SIZE)?.try_into().ok()?;
        let parts = parts(self.bytes(GNU_SPARSE))?;
        self.is_gnu().then_some((size, parts, self.0[GNU_IS_EXTENDED] != 0))
    }

    /// The name that a link refers to.
    pub fn link_name(&self) -> Vec<u8> {
        self.text(LINK_NAME).to_vec()
    }

    /// Permission bits (07777); the others are noise from old writers.
    pub fn mode(&self) -> Option<u32> {
        Some((self.number(MODE)? & 0o7777) as u32)
    }

    pub fn uid(&self) -> Option<u32> {
        owner(self.number(UID)?)
    }

    pub fn gid(&self) -> Option<u32> {
        owner(self.number(GID)?)
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

    fn number(&self, field: Field) -> Option<i128> {
        number(self.bytes(field))
    }
}

/// A user's or group's number. Some writers take 32 bits as signed, for nobody, who is -2; -1 is nobody at all, and leaves a
/// file to who unpacks it: root (chown(2)).
pub fn owner(number: i128) -> Option<u32> {
    match number {
        -1 | 0xffff_ffff => Some(0),
        _ => u32::try_from(number).ok().or_else(|| Some(i32::try_from(number).ok()? as u32)),
    }
}

/// A part of a sparse file that is in the archive: where it begins, and how long it is.
pub type Part = (u64, u64);

/// The parts that a record tells of which goes on with a map, and whether another such record follows.
pub fn more_parts(record: &[u8; 512]) -> Option<(Vec<Part>, bool)> {
    let (at, len) = GNU_MORE_SPARSE;
    Some((parts(&record[at..at + len])?, record[GNU_MORE_IS_EXTENDED] != 0))
}

/// The table ends where it is full, or with an empty place.
fn parts(table: &[u8]) -> Option<Vec<Part>> {
    let places = table.chunks_exact(GNU_PART).take_while(|place| place[0] != 0);
    let part = |place: &[u8]| -> Option<Part> {
        let (offset, len) = place.split_at(GNU_PART / 2);
        Some((number(offset)?.try_into().ok()?, number(len)?.try_into().ok()?))
    };
    places.map(part).collect()
}

/// A number is octal text, or GNU's base-256: two's complement with the top bit of the first byte set.
fn number(bytes: &[u8]) -> Option<i128> {
    if bytes[0] & 0x80 != 0 {
        // Bit 6 is the sign; at most 12 bytes of it fit an i128 with room to spare.
        let sign = if bytes[0] & 0x40 != 0 { -1 } else { 0 };
        let first = (sign << 6) | i128::from(bytes[0] & 0x3f);
        return Some(bytes[1..].iter().fold(first, |sum, &byte| (sum << 8) | i128::from(byte)));
    }
    // Before 1988 some filled up with NULs in front; docker takes it (Go's archive/tar trims both ends).
    let blank = |byte: &u8| matches!(byte, 0 | b' ');
    let text = &bytes[bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len())..];
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    let text = std::str::from_utf8(text).ok()?.trim_end_matches(' ');
    // An empty field is a zero to every tar, and one that starts with a sign is not a number.
    match text.as_bytes().first() {
        None => Some(0),
        Some(b'0'..=b'7') => i128::from_str_radix(text, 8).ok(),
        Some(_) => None,
    }
}
