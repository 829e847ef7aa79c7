//! Sparse files: what an archive holds of one is its parts that are not holes, and a map of where they go.
//!
//! GNU tar manual, "Storing Sparse Files": four formats. The oldest has the map in the header and records behind it, pax 0.0
//! and 0.1 in pax records, pax 1.0 before the data. All of them are written today, and read by docker.

use std::io::{self, Read};

use super::header::{Header, Part, more_parts};
use super::pax::{Records, SparseFormat};
use super::{RECORD, Reader, Source, TarError, printable, read_full};
use crate::holes::Room;
use crate::limits;

/// Where the data of a sparse file goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Map {
    /// In order; what is between them and behind the last is a hole.
    parts: Vec<Part>,
    /// The file's length with its holes.
    size: u64,
}

impl Map {
    /// Check what an archive says: `packed` bytes of data belong to the parts.
    fn new(parts: Vec<Part>, size: u64, packed: u64) -> Result<Self, String> {
        // As for any member: more bytes exist nowhere.
        if size > i64::MAX as u64 {
            return Err(format!("{size} bytes are more than a file can have"));
        }
        let (mut end, mut total) = (0u64, 0u64);
        for &(offset, len) in &parts {
            let part_end = offset.checked_add(len).filter(|&end| end <= size);
            let Some(part_end) = part_end.filter(|_| offset >= end) else {
                return Err(format!(
                    "{len} bytes at {offset} are not behind the part before, in a file of {size} bytes"
                ));
            };
            end = part_end;
            total += len;
        }
        if total != packed {
            return Err(format!("its parts have {total} bytes, and the archive has {packed}"));
        }
        Ok(Self { parts, size })
    }

    /// The file's length with its holes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many bytes of memory it takes.
    pub fn memory(&self) -> usize {
        size_of_val(&self.parts[..])
    }

    /// Write the whole file, whose parts `data` gives one behind the other.
    pub fn expand(&self, data: &mut impl Read, out: &mut impl Room) -> io::Result<()> {
        let mut position = 0;
        for &(offset, len) in &self.parts {
            out.write_zeros(offset - position)?;
            if io::copy(&mut data.by_ref().take(len), out)? < len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            position = offset + len;
        }
        out.write_zeros(self.size - position)?;
        out.flush()
    }
}

/// How far a file is expanded.
#[derive(Default)]
pub struct Expansion {
    map: Map,
    /// The part to come, or that is being read.
    next: usize,
    position: u64,
}

/// What comes next in a file.
pub enum Run {
    /// So many bytes of the archive; none where the file is over.
    Data(u64),
    /// So many zeros that the archive does not have.
    Hole(u64),
}

impl Expansion {
    /// Expand a file from its start.
    pub fn new(map: Map) -> Self {
        Self { map, next: 0, position: 0 }
    }

    /// Where the data goes.
    pub fn map(&self) -> Map {
        self.map.clone()
    }

    /// What comes next.
    pub fn next(&mut self) -> Run {
        while let Some(&(offset, len)) = self.map.parts.get(self.next) {
            if self.position < offset {
                return Run::Hole(offset - self.position);
            }
            match offset + len - self.position {
                0 => self.next += 1,
                left => return Run::Data(left),
            }
        }
        match self.map.size - self.position {
            0 => Run::Data(0),
            left => Run::Hole(left),
        }
    }

    /// So many bytes of what comes next were taken.
    pub fn advance(&mut self, count: u64) {
        self.position += count;
    }
}

impl<S: Source> Reader<S> {
    /// The map of the member whose header was read, if it is a sparse file with `packed` bytes in the archive. What the archive
    /// has of the map is read; what is left is data.
    pub(super) fn read_map(
        &mut self,
        header: &Header,
        records: &Records,
        start: u64,
        packed: u64,
    ) -> Result<Option<Map>, TarError> {
        let bad = |reader: &Self, reason: String| reader.bad_map(start, reason);
        if header.type_flag() == b'S' {
            let map =
                header.sparse().ok_or("the header's fields for it are not numbers".to_owned());
            let (size, mut parts, mut is_extended) = map.map_err(|reason| bad(self, reason))?;
            while is_extended {
                let mut record = [0; RECORD as usize];
                let got =
                    read_full(&mut self.source, &mut record).map_err(|error| self.io(error))?;
                self.offset += got as u64;
                if (got as u64) < RECORD {
                    return Err(self.cut(RECORD - got as u64));
                }
                let more = more_parts(&record).ok_or("its parts are not numbers".to_owned());
                let (more, goes_on) = more.map_err(|reason| bad(self, reason))?;
                parts.extend(more);
                check_count(parts.len()).map_err(|reason| bad(self, reason))?;
                is_extended = goes_on;
            }
            self.expect_data(packed);
            return Map::new(parts, size, packed).map(Some).map_err(|reason| bad(self, reason));
        }
        self.expect_data(packed);
        let (size, parts) = match records.sparse().map_err(|reason| bad(self, reason))? {
            None => return Ok(None),
            Some(SparseFormat::InRecords { size, parts }) => (size, parts),
            Some(SparseFormat::InData { size }) => (size, self.read_map_in_data(start)?),
        };
        let packed = self.data_left;
        Map::new(parts, size, packed).map(Some).map_err(|reason| bad(self, reason))
    }

    /// pax 1.0: decimal numbers, each with a newline behind it, the first of which counts the parts; filled up to a record.
    fn read_map_in_data(&mut self, start: u64) -> Result<Vec<Part>, TarError> {
        let mut record = [0; RECORD as usize];
        let mut at = record.len();
        let mut number = |reader: &mut Self| -> Result<u64, TarError> {
            // u64::MAX has 20 digits.
            let (mut digits, most) = (String::new(), 20);
            loop {
                if at == record.len() {
                    let got = read_full(reader, &mut record).map_err(|source| reader.io(source))?;
                    if got < record.len() {
                        return Err(
                            reader.bad_map(start, "its map is longer than its data".to_owned())
                        );
                    }
                    at = 0;
                }
                let byte = record[at];
                at += 1;
                match byte {
                    b'0'..=b'9' if digits.len() < most => digits.push(char::from(byte)),
                    b'\n' if !digits.is_empty() => break,
                    _ => return Err(reader.bad_map(start, "its map is not of numbers".to_owned())),
                }
            }
            let bad = |_| reader.bad_map(start, format!("'{digits}' in its map is too large"));
            digits.parse().map_err(bad)
        };
        let count = number(self)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        check_count(count).map_err(|reason| self.bad_map(start, reason))?;
        let mut parts = Vec::new();
        for _ in 0..count {
            parts.push((number(self)?, number(self)?));
        }
        Ok(parts)
    }

    fn bad_map(&self, offset: u64, reason: String) -> TarError {
        TarError::Sparse { offset, member: printable(&self.current), reason }
    }
}

fn check_count(count: usize) -> Result<(), String> {
    match count > limits::TAR_SPARSE_PARTS {
        true => {
            Err(format!("it has {count} parts or more; the limit is {}", limits::TAR_SPARSE_PARTS))
        }
        false => Ok(()),
    }
}
