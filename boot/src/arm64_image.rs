//! arm64 Image: a kernel as it lies in memory (Linux Documentation/arch/arm64/booting.rst §4).
//!
//! ```text
//! 0       8             16           24      32       56        60          64
//! ├─ code ┼ text_offset ┼ image_size ┼ flags ┼ unused ┼ "ARMd" ┼ PE header ┼ the rest …
//! ```
//!
//! The whole file goes to one place, and is entered at its first byte. Only the headers are read: whoever
//! carries out the plan maps or reads the bytes. The file may be anything a user names, so each field
//! is checked before it is used, and a kernel that can't work is refused with the reason.

mod error;
#[cfg(feature = "decompress")]
mod packed;
mod pe;
#[cfg(test)]
mod tests;

pub use error::ImageError;
#[cfg(feature = "decompress")]
pub use packed::{PackedError, extract_image, is_packed};

use crate::elf::format as elf;
use crate::segment::Segment;
use crate::source::Source;
use arch::aarch64::layout;
use std::fs::File;
use std::ops::Range;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout};

const MAGIC: [u8; 4] = *b"ARM\x64";
/// `flags`: the kernel is big-endian.
///
/// The others don't matter here: any kernel may be near the start of RAM, and only the kernel can tell
/// whether the vCPU has its page size.
const FLAG_BIG_ENDIAN: u64 = 1 << 0;
/// The `text_offset` of kernels older than 3.17, in which `image_size` is 0 and the field's own byte order is not
/// known.
const OLD_TEXT_OFFSET: u64 = 0x8_0000;
const MIB: u64 = 1 << 20;

/// The header.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[cfg_attr(test, derive(zerocopy::IntoBytes))]
#[repr(C)]
struct Header {
    code: [u8; 8],
    text_offset: U64,
    image_size: U64,
    flags: U64,
    reserved: [U64; 3],
    magic: [u8; 4],
    pe_header: U32,
}

/// What to do to load a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The file and its place in RAM.
    pub segments: [Segment; 1],
    /// Guest physical address at which it is entered.
    pub entry: u64,
    /// First address past what it takes.
    pub end: u64,
}

/// Whether this is the beginning of an Image; its first 64 bytes tell.
pub fn is_image(bytes: &[u8]) -> bool {
    Header::read_from_prefix(bytes).is_ok_and(|(header, _)| header.magic == MAGIC)
}

/// Reads a kernel's headers and plans where it goes in a guest with this RAM.
pub fn parse(file: &File, ram: &[Range<u64>]) -> Result<Kernel, ImageError> {
    let source = Source::new(file)?;
    let bytes = source.read("Image header", 0, size_of::<Header>() as u64)?;
    let header = match Header::read_from_bytes(&bytes) {
        Ok(header) if header.magic == MAGIC => header,
        _ => return Err(other_format(&source, &bytes)),
    };
    if header.flags.get() & FLAG_BIG_ENDIAN != 0 {
        return Err(ImageError::BigEndian);
    }
    pe::check_whole(&source, &header)?;
    let segment = segment(&header, source.len())?;
    let ram_end = ram.first().map_or(layout::RAM_START, |range| range.end);
    if segment.end() > ram_end {
        return Err(ImageError::RamTooSmall {
            image_size: segment.mem_len,
            gpa: segment.gpa,
            needs_mib: (segment.end() - layout::RAM_START).div_ceil(MIB),
            has_mib: (ram_end - layout::RAM_START) / MIB,
        });
    }
    Ok(Kernel { segments: [segment], entry: segment.gpa, end: segment.end() })
}

/// The file's place; whether there is RAM is not checked yet.
fn segment(header: &Header, file_len: u64) -> Result<Segment, ImageError> {
    let (text_offset, image_size) = match header.image_size.get() {
        0 => (OLD_TEXT_OFFSET, file_len),
        size => (header.text_offset.get(), size),
    };
    let mem_len = image_size.max(file_len);
    let gpa = layout::KERNEL.checked_add(text_offset);
    match gpa.and_then(|gpa| gpa.checked_add(mem_len).map(|_| gpa)) {
        Some(gpa) => Ok(Segment { gpa, file_offset: 0, file_len, mem_len, writable: true }),
        None => Err(ImageError::WrapAround { text_offset, image_size }),
    }
}

/// A file without the magic: what a user may well have passed instead has a reason of its own.
fn other_format(source: &Source, start: &[u8]) -> ImageError {
    if let Ok((elf, _)) = elf::FileHeader::read_from_prefix(start)
        && elf.magic == elf::MAGIC
    {
        return match elf.machine.get() {
            elf::MACHINE_AARCH64 => ImageError::Elf,
            other => ImageError::Machine(elf::machine_name(other)),
        };
    }
    // Documentation/arch/x86/boot.rst: "HdrS" at 0x202.
    if source.read("boot header", 0x202, 4).is_ok_and(|magic| magic == b"HdrS") {
        return ImageError::Machine(elf::machine_name(elf::MACHINE_X86_64));
    }
    match start {
        [b'M', b'Z', _, _, b'z', b'i', b'm', b'g', ..] => ImageError::Packed("an EFI zboot image"),
        [0x1F, 0x8B, ..] => ImageError::Packed("compressed by gzip"),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => ImageError::Packed("compressed by zstd"),
        _ => ImageError::NotImage { found: start[..8].to_vec() },
    }
}
