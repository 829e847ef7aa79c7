//! Makes ELF files.

use super::super::format::{self, FileHeader, NoteHeader, ProgramHeader};
use zerocopy::IntoBytes;

/// A segment to load; the builder finds it a place in the file.
#[derive(Clone, Debug)]
pub struct Load {
    pub gpa: u64,
    pub file_len: u64,
    pub mem_len: u64,
}

/// A kernel to be made.
#[derive(Clone, Debug)]
pub struct Elf {
    pub loads: Vec<Load>,
    pub entry: u64,
    /// A PVH note with this address.
    pub pvh: Option<u64>,
    /// The size of the note's descriptor.
    pub pvh_len: usize,
    /// Zero bytes after the note, within its segment.
    pub note_padding: usize,
}

impl Elf {
    /// Text and data like Linux's, small.
    pub fn linux() -> Elf {
        Elf {
            loads: vec![
                Load { gpa: 0x100_0000, file_len: 0x1800, mem_len: 0x1800 },
                Load { gpa: 0x120_0000, file_len: 0x900, mem_len: 0x4000 },
            ],
            entry: 0x100_0000,
            pvh: None,
            pvh_len: 8,
            note_padding: 0,
        }
    }

    /// Where a load's bytes are: each starts a page, as the linker lays a kernel out.
    fn load_offset(&self, n: usize) -> u64 {
        self.loads[..n].iter().fold(0x1000, |at, l| (at + l.file_len).next_multiple_of(0x1000))
    }

    /// Where the note is: after the loads.
    pub fn note_offset(&self) -> usize {
        self.load_offset(self.loads.len()) as usize
    }

    fn note(&self) -> Vec<u8> {
        let Some(entry) = self.pvh else { return Vec::new() };
        let other = note(b"GNU\0", 5, b"something else");
        let mut descriptor = entry.to_le_bytes().to_vec();
        descriptor.resize(self.pvh_len, 0);
        let mut notes = [note(b"Xen\0", 18, &descriptor), other].concat();
        notes.resize(notes.len() + self.note_padding, 0);
        notes
    }

    fn program_headers(&self) -> Vec<ProgramHeader> {
        let header =
            |kind: u32, offset: u64, gpa: u64, file_len: u64, mem_len: u64| ProgramHeader {
                kind: kind.into(),
                flags: 7.into(),
                offset: offset.into(),
                virtual_address: gpa.into(),
                physical_address: gpa.into(),
                file_size: file_len.into(),
                memory_size: mem_len.into(),
                align: 4.into(),
            };
        let mut headers: Vec<_> = (self.loads.iter().enumerate())
            .map(|(n, l)| {
                header(format::SEGMENT_LOAD, self.load_offset(n), l.gpa, l.file_len, l.mem_len)
            })
            .collect();
        let len = self.note().len() as u64;
        headers.push(header(format::SEGMENT_NOTE, self.note_offset() as u64, 0, len, len));
        headers
    }

    pub fn bytes(&self) -> Vec<u8> {
        let headers = self.program_headers();
        let header = FileHeader {
            magic: format::MAGIC,
            class: format::CLASS_64,
            data: format::LITTLE_ENDIAN,
            ident_version: 1,
            abi: [0; 9],
            kind: format::TYPE_EXECUTABLE.into(),
            machine: format::MACHINE_X86_64.into(),
            version: 1.into(),
            entry: self.entry.into(),
            program_headers: 64.into(),
            section_headers: 0.into(),
            flags: 0.into(),
            header_size: 64.into(),
            program_header_size: 56.into(),
            program_header_count: (headers.len() as u16).into(),
            section_header_size: 0.into(),
            section_header_count: 0.into(),
            section_names: 0.into(),
        };
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(headers.as_bytes());
        bytes.resize(self.note_offset(), 0xCC);
        bytes.extend_from_slice(&self.note());
        bytes
    }
}

fn note(name: &[u8], kind: u32, descriptor: &[u8]) -> Vec<u8> {
    let header = NoteHeader {
        name_size: (name.len() as u32).into(),
        descriptor_size: (descriptor.len() as u32).into(),
        kind: kind.into(),
    };
    let mut bytes = [header.as_bytes(), name, descriptor].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
