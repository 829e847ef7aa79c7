//! The PE header of an Image that firmware can start too (Microsoft, "PE Format"): the only one that
//! says where the file ends.

use super::Header;
use crate::source::{ReadError, Source};
use zerocopy::FromBytes;
use zerocopy::little_endian::{U16, U32};
use zerocopy::{Immutable, KnownLayout};

/// The first bytes of an Image that has one. They are an instruction without effect, too.
const DOS_MAGIC: &[u8] = b"MZ";
const MAGIC: [u8; 4] = *b"PE\0\0";

/// The signature, and the COFF file header. The optional header follows, then the section headers.
#[derive(FromBytes, Immutable, KnownLayout)]
#[cfg_attr(test, derive(Default, zerocopy::IntoBytes))]
#[repr(C)]
pub struct FileHeader {
    pub magic: [u8; 4],
    pub machine: U16,
    pub sections: U16,
    pub time: U32,
    pub symbols: U32,
    pub symbol_count: U32,
    pub optional_header_size: U16,
    pub characteristics: U16,
}

/// A section header.
#[derive(FromBytes, Immutable, KnownLayout)]
#[cfg_attr(test, derive(Default, zerocopy::IntoBytes))]
#[repr(C)]
pub struct Section {
    pub name: [u8; 8],
    pub memory_size: U32,
    pub address: U32,
    pub file_size: U32,
    pub file_offset: U32,
    pub relocations: [U32; 3],
    pub characteristics: U32,
}

/// Makes sure that the file is not cut off, if it has such a header.
pub fn check_whole(source: &Source, header: &Header) -> Result<(), ReadError> {
    if !header.code.starts_with(DOS_MAGIC) {
        return Ok(());
    }
    let at = u64::from(header.pe_header.get());
    let bytes = source.read("PE header", at, size_of::<FileHeader>() as u64)?;
    let Ok(file) = FileHeader::read_from_bytes(&bytes) else { return Ok(()) };
    if file.magic != MAGIC {
        return Ok(());
    }
    let at = at + bytes.len() as u64 + u64::from(file.optional_header_size.get());
    let len = u64::from(file.sections.get()) * size_of::<Section>() as u64;
    let sections = source.read("PE section headers", at, len)?;
    let sections = sections.chunks_exact(size_of::<Section>());
    for section in sections.filter_map(|bytes| Section::read_from_bytes(bytes).ok()) {
        let (offset, len) = (section.file_offset.get(), section.file_size.get());
        source.check("section", offset.into(), len.into())?;
    }
    Ok(())
}
