//! A reader of tar streams, for layers and for the archives that hold them.
//!
//! A tar stream is a row of 512-byte records: a header, the member's data padded to the next record, the next header,
//! and two records of zeros at the end. Three dialects share it: ustar (POSIX.1-1988), GNU (long names in members of
//! their own) and pax (POSIX.1-2001: any field as `key=value` text in a member of its own). All three occur in
//! container images, so all three are read here, with the holes of sparse files. The reader counts the bytes it has
//! seen, so that an error can say where, and bounds everything that it keeps.

mod error;
mod header;
mod member;
mod pax;
mod source;
mod sparse;
#[cfg(test)]
mod tests;

use std::io::{self, Read};

pub use error::TarError;
use header::Header;
use host::text::printable;
pub use member::{Kind, Member, Time};
use pax::Records;
pub use source::{Seekable, Source, Stream};
use sparse::Expansion;
pub use sparse::{Map, Run};

use crate::limits;

/// The size of a record (POSIX.1-2001 pax, "ustar Interchange Format").
pub const RECORD: u64 = 512;

/// Reads one member after the other; between two calls of [`Reader::next_member`], the reader itself
/// reads as the member's data.
pub struct Reader<S> {
    source: S,
    offset: u64,
    /// Data of the current member that was not read yet, and the padding behind it.
    data_left: u64,
    padding: u64,
    /// The current member is a sparse file, and so far read.
    expansion: Option<Expansion>,
    current: Vec<u8>,
    ended: bool,
}

impl<S: Source> Reader<S> {
    /// A reader at the start of an archive.
    pub fn new(source: S) -> Self {
        Self {
            source,
            offset: 0,
            data_left: 0,
            padding: 0,
            expansion: None,
            current: Vec::new(),
            ended: false,
        }
    }

    /// Whether the archive's end was marked (by a record of zeros), not just reached.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// How many bytes of the archive were read or passed over.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The source, with whatever follows the last member read.
    pub fn into_inner(self) -> S {
        self.source
    }

    /// The next member, or `None` at the end of the archive.
    pub fn next_member(&mut self) -> Result<Option<Member>, TarError> {
        let mut name = None;
        let mut link = None;
        let mut records = Records::default();
        let mut extensions = 0;
        while extensions <= limits::TAR_EXTENSIONS_IN_A_ROW {
            self.skip_data()?;
            let start = self.offset;
            let Some(header) = self.read_header()? else {
                return Ok(None);
            };
            self.current = header.name();
            match header.type_flag() {
                // Of all members from here on, or of the archive: docker takes nothing of it (go-archive `Unpack`), and Go's
                // archive/tar nothing but a look.
                b'g' => {
                    let size = header.size().ok_or_else(|| header.bad_field("size", start))?;
                    self.expect_data(size);
                    continue;
                }
                b'L' => name = Some(self.read_long_name(&header, start)?),
                b'K' => link = Some(self.read_long_name(&header, start)?),
                b'x' => {
                    let text = self.read_extension(&header, start)?;
                    records.merge(&text).map_err(|field| self.bad_pax(field, start))?;
                }
                _ => {
                    let mut member = member::assemble(&header, name, link, &records, start)?;
                    self.current = member.name.clone();
                    if member.kind == Kind::File
                        && let Some(map) = self.read_map(&header, &records, start, member.size)?
                    {
                        member.size = map.size();
                        self.expansion = Some(Expansion::new(map));
                    }
                    return Ok(Some(member));
                }
            }
            extensions += 1;
        }
        Err(TarError::TooManyExtensions { offset: self.offset })
    }

    /// Pass over what is left of the current member.
    fn skip_data(&mut self) -> Result<(), TarError> {
        self.expansion = None;
        let wanted = self.data_left.saturating_add(self.padding);
        let got = self.source.skip(wanted).map_err(|source| self.io(source))?;
        self.offset += got;
        self.data_left -= got.min(self.data_left);
        if self.data_left > 0 {
            return Err(self.cut(wanted - got));
        }
        // An archive that stops inside the padding of its last member has lost nothing.
        self.padding = 0;
        Ok(())
    }

    /// The record at the current position as a header; `None` for the end of the archive.
    fn read_header(&mut self) -> Result<Option<Header>, TarError> {
        let start = self.offset;
        let (record, len) = self.read_record()?;
        match len as u64 {
            0 => return Ok(None),
            RECORD => {}
            _ => return Err(TarError::CutHeader { offset: self.offset }),
        }
        if is_zero(&record) {
            // Two of them are the end, and one where nothing follows. Whatever else follows would get lost.
            let (next, len) = self.read_record()?;
            if !is_zero(&next[..len]) {
                return Err(TarError::LoneZeros { offset: start });
            }
            self.ended = true;
            return Ok(None);
        }
        Header::parse(record).map(Some).ok_or(TarError::Checksum { offset: start })
    }

    /// What is there of a record.
    fn read_record(&mut self) -> Result<([u8; RECORD as usize], usize), TarError> {
        let mut record = [0; RECORD as usize];
        let len = read_full(&mut self.source, &mut record).map_err(|source| self.io(source))?;
        self.offset += len as u64;
        Ok((record, len))
    }

    fn expect_data(&mut self, size: u64) {
        self.data_left = size;
        self.padding = size.wrapping_neg() % RECORD;
    }

    /// The data of an extension member.
    fn read_extension(&mut self, header: &Header, start: u64) -> Result<Vec<u8>, TarError> {
        let limit = limits::TAR_EXTENSION;
        let size = header.size().ok_or_else(|| header.bad_field("size", start))?;
        if size > limit {
            return Err(TarError::ExtensionTooLong { offset: start, size, limit });
        }
        self.expect_data(size);
        let mut data = vec![0; size as usize];
        let got = read_full(self, &mut data).map_err(|source| self.io(source))?;
        if got < data.len() {
            return Err(self.cut((data.len() - got) as u64));
        }
        Ok(data)
    }

    /// GNU tar's long names end with a NUL.
    fn read_long_name(&mut self, header: &Header, start: u64) -> Result<Vec<u8>, TarError> {
        let mut name = self.read_extension(header, start)?;
        name.truncate(name.iter().position(|&byte| byte == 0).unwrap_or(name.len()));
        Ok(name)
    }

    /// Read data of the current member as the archive has it.
    fn read_packed(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let wanted = self.data_left.min(buf.len() as u64) as usize;
        if wanted == 0 {
            return Ok(0);
        }
        let got = self.source.read(&mut buf[..wanted])?;
        if got == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, self.cut(self.data_left)));
        }
        self.offset += got as u64;
        self.data_left -= got as u64;
        Ok(got)
    }

    /// What comes next of the current member.
    pub fn run(&mut self) -> Run {
        self.expansion.as_mut().map_or(Run::Data(self.data_left), Expansion::next)
    }

    /// Pass over so many zeros of a hole that comes next.
    pub fn pass_hole(&mut self, count: u64) {
        if let Some(expansion) = &mut self.expansion {
            expansion.advance(count);
        }
    }

    /// The current member's data as the archive has it: how long what is left of it is, and where it goes in a sparse file.
    pub fn packed(&self) -> (u64, Option<Map>) {
        (self.data_left, self.expansion.as_ref().map(Expansion::map))
    }

    fn bad_pax(&self, field: String, offset: u64) -> TarError {
        TarError::Pax { offset, field }
    }

    fn cut(&self, missing: u64) -> TarError {
        TarError::Cut { offset: self.offset, member: printable(&self.current), missing }
    }

    fn io(&self, source: io::Error) -> TarError {
        TarError::Io { offset: self.offset, source }
    }
}

/// Reads the current member, a sparse file with its holes; a stream that ends before the data does is an error.
impl<S: Source> Read for Reader<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = match self.run() {
            Run::Hole(left) => {
                let count = left.min(buf.len() as u64) as usize;
                buf[..count].fill(0);
                count
            }
            Run::Data(left) => {
                let wanted = left.min(buf.len() as u64) as usize;
                self.read_packed(&mut buf[..wanted])?
            }
        };
        if let Some(expansion) = &mut self.expansion {
            expansion.advance(count as u64);
        }
        Ok(count)
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// Fill `buf` as far as the stream goes.
fn read_full(source: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match source.read(&mut buf[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
