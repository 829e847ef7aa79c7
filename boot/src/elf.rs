//! ELF kernels: from the file's headers to a plan of what goes where in guest memory.
//!
//! Only the headers and the notes are read. The segments' bytes stay in the file, and whoever
//! carries out the plan maps or reads them. The file may be anything a user names, so each field is
//! checked before it is used, and a kernel that can't work is refused with the reason.

mod error;
pub(crate) mod format;
mod notes;
#[cfg(test)]
mod tests;

pub use error::ElfError;

use crate::arm64_image;
use crate::segment::Segment;
use crate::source::Source;
use arch::x86_64::layout;
use format::{FileHeader, ProgramHeader};
use std::fs::File;
use std::ops::Range;
use zerocopy::FromBytes;

/// Most program headers of a kernel. Linux has five.
const MAX_PROGRAM_HEADERS: u16 = 64;
/// Most bytes of a note segment. Linux has some 500.
const MAX_NOTES: u64 = 64 << 10;
const MIB: u64 = 1 << 20;

/// Where and how the kernel is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// By PVH, in 32-bit mode.
    Pvh {
        /// Physical address.
        eip: u32,
    },
    /// By the 64-bit Linux boot protocol.
    Linux64 {
        /// Physical address.
        rip: u64,
    },
}

/// What to do to load a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// What goes where, by rising address; no two overlap, each lies in RAM.
    pub segments: Vec<Segment>,
    /// How it is entered.
    pub entry: Entry,
    /// First address past the highest segment.
    pub end: u64,
}

/// Reads a kernel's headers and plans where its segments go in a guest with this RAM.
pub fn parse(file: &File, ram: &[Range<u64>]) -> Result<Kernel, ElfError> {
    let source = Source::new(file)?;
    let header = file_header(&source)?;
    let headers = program_headers(&source, &header)?;
    let mut segments = Vec::new();
    let mut pvh = None;
    for (index, program) in headers.iter().enumerate() {
        match program.kind.get() {
            format::SEGMENT_LOAD
                if program.memory_size.get() > 0 || program.file_size.get() > 0 =>
            {
                segments.push((index, segment(index, program, &source)?));
            }
            format::SEGMENT_NOTE if pvh.is_none() => {
                let offset = program.offset.get();
                let notes = read_notes(index, program, &source)?;
                pvh = notes::pvh_entry(&notes, offset, program.align.get())?;
            }
            _ => {}
        }
    }
    let end = segments.iter().map(|(_, s)| s.end()).max().ok_or(ElfError::NothingToLoad)?;
    check_placement(&mut segments, ram)?;
    let segments: Vec<Segment> = segments.into_iter().map(|(_, segment)| segment).collect();
    let entry = match pvh {
        Some(eip) => Entry::Pvh { eip },
        None => Entry::Linux64 { rip: header.entry.get() },
    };
    check_entry(entry, &segments)?;
    Ok(Kernel { segments, entry, end })
}

fn file_header(source: &Source) -> Result<FileHeader, ElfError> {
    let bytes = source.read("ELF header", 0, size_of::<FileHeader>() as u64)?;
    let (header, _) = FileHeader::read_from_prefix(&bytes).map_err(|_| ElfError::NothingToLoad)?;
    if header.magic != format::MAGIC {
        return Err(other_format(source, header.magic, &bytes));
    }
    match header.class {
        format::CLASS_64 => {}
        format::CLASS_32 => return Err(ElfError::Bits32),
        other => return Err(ElfError::Class(other)),
    }
    if header.data != format::LITTLE_ENDIAN {
        return Err(ElfError::Encoding(header.data));
    }
    if header.machine.get() != format::MACHINE_X86_64 {
        return Err(ElfError::Machine(format::machine_name(header.machine.get())));
    }
    if header.kind.get() != format::TYPE_EXECUTABLE {
        return Err(ElfError::Type(format::type_name(header.kind.get())));
    }
    Ok(header)
}

/// A file without the ELF magic: what a user may well have passed instead has a reason of its own.
fn other_format(source: &Source, found: [u8; 4], header: &[u8]) -> ElfError {
    // Documentation/arch/x86/boot.rst: "HdrS" at 0x202.
    if source.read("boot header", 0x202, 4).is_ok_and(|magic| magic == b"HdrS") {
        return ElfError::BzImage;
    }
    if arm64_image::is_image(header) {
        return ElfError::Machine(format::machine_name(format::MACHINE_AARCH64));
    }
    ElfError::NotElf { found }
}

fn program_headers(source: &Source, header: &FileHeader) -> Result<Vec<ProgramHeader>, ElfError> {
    let size = header.program_header_size.get();
    if usize::from(size) != size_of::<ProgramHeader>() {
        return Err(ElfError::ProgramHeaderSize(size));
    }
    let count = header.program_header_count.get();
    if !(1..=MAX_PROGRAM_HEADERS).contains(&count) {
        return Err(ElfError::ProgramHeaderCount { count, max: MAX_PROGRAM_HEADERS });
    }
    let len = u64::from(size) * u64::from(count);
    let bytes = source.read("program headers", header.program_headers.get(), len)?;
    let headers = bytes.chunks_exact(usize::from(size));
    Ok(headers.filter_map(|bytes| ProgramHeader::read_from_bytes(bytes).ok()).collect())
}

/// A segment whose numbers are sound by themselves; its place among others and in RAM is not
/// checked yet.
fn segment(index: usize, program: &ProgramHeader, source: &Source) -> Result<Segment, ElfError> {
    let segment = Segment {
        gpa: program.physical_address.get(),
        file_offset: program.offset.get(),
        file_len: program.file_size.get(),
        mem_len: program.memory_size.get(),
        writable: program.flags.get() & format::SEGMENT_WRITABLE != 0,
    };
    let Segment { gpa, file_offset, file_len, mem_len, .. } = segment;
    if file_len > mem_len {
        return Err(ElfError::FileLongerThanMemory { index, file_len, mem_len });
    }
    for (what, start, len) in [("address", gpa, mem_len), ("file offset", file_offset, file_len)] {
        if start.checked_add(len).is_none() {
            return Err(ElfError::WrapAround { index, what, start, len });
        }
    }
    source.check("segment", file_offset, file_len)?;
    Ok(segment)
}

fn read_notes(index: usize, program: &ProgramHeader, source: &Source) -> Result<Vec<u8>, ElfError> {
    let len = program.file_size.get();
    if len > MAX_NOTES {
        return Err(ElfError::NotesTooLong { index, len, max: MAX_NOTES });
    }
    Ok(source.read("notes", program.offset.get(), len)?)
}

/// Sorts the segments by address, and makes sure that each has RAM of its own.
fn check_placement(segments: &mut [(usize, Segment)], ram: &[Range<u64>]) -> Result<(), ElfError> {
    segments.sort_by_key(|(_, segment)| segment.gpa);
    let mut too_small = None;
    for &(index, segment) in segments.iter() {
        let (gpa, end) = (segment.gpa, segment.end());
        if gpa < layout::KERNEL {
            return Err(ElfError::LowMemory { index, gpa, lowest: layout::KERNEL });
        }
        if ram.iter().any(|range| range.start <= gpa && end <= range.end) {
            continue;
        }
        if end > layout::LOW_RAM_END {
            let ram: Vec<String> =
                ram.iter().map(|range| format!("{:#x}..{:#x}", range.start, range.end)).collect();
            return Err(ElfError::OutsideRam { index, gpa, end, ram: ram.join(" and ") });
        }
        // With more memory there would be RAM here.
        too_small = too_small.max(Some(end));
    }
    if let Some(end) = too_small {
        let has = ram.iter().map(|range| range.end - range.start).sum::<u64>();
        return Err(ElfError::RamTooSmall { needs_mib: end.div_ceil(MIB), has_mib: has / MIB });
    }
    for pair in segments.windows(2) {
        let [(first, below), (second, above)] = [pair[0], pair[1]];
        if below.end() > above.gpa {
            return Err(ElfError::Overlap { first, second, gpa: above.gpa });
        }
    }
    Ok(())
}

fn check_entry(entry: Entry, segments: &[Segment]) -> Result<(), ElfError> {
    let (kind, entry) = match entry {
        Entry::Pvh { eip } => ("PVH", u64::from(eip)),
        Entry::Linux64 { rip } => ("64-bit", rip),
    };
    let inside = |s: &Segment| s.gpa <= entry && entry - s.gpa < s.file_len;
    if segments.iter().any(inside) { Ok(()) } else { Err(ElfError::EntryOutside { kind, entry }) }
}
