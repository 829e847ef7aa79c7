//! The ELF structures that a loader reads (System V gABI chapters 4 and 5), 64-bit little-endian.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout};

pub const MAGIC: [u8; 4] = *b"\x7FELF";
/// `e_ident[EI_CLASS]`: 32-bit objects.
pub const CLASS_32: u8 = 1;
/// `e_ident[EI_CLASS]`: 64-bit objects.
pub const CLASS_64: u8 = 2;
/// `e_ident[EI_DATA]`: little-endian.
pub const LITTLE_ENDIAN: u8 = 1;
/// `e_type`: an executable at fixed addresses.
pub const TYPE_EXECUTABLE: u16 = 2;
/// `e_machine`: x86-64.
pub const MACHINE_X86_64: u16 = 62;
/// `e_machine`: AArch64.
pub const MACHINE_AARCH64: u16 = 183;
/// `p_type`: to be loaded.
pub const SEGMENT_LOAD: u32 = 1;
/// `p_type`: notes.
pub const SEGMENT_NOTE: u32 = 4;
/// A bit of `ProgramHeader::flags`: the segment is written to (`PF_W`).
pub const SEGMENT_WRITABLE: u32 = 2;

/// `Elf64_Ehdr`.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[cfg_attr(test, derive(zerocopy::IntoBytes))]
#[repr(C)]
pub struct FileHeader {
    pub magic: [u8; 4],
    pub class: u8,
    pub data: u8,
    pub ident_version: u8,
    pub abi: [u8; 9],
    pub kind: U16,
    pub machine: U16,
    pub version: U32,
    pub entry: U64,
    pub program_headers: U64,
    pub section_headers: U64,
    pub flags: U32,
    pub header_size: U16,
    pub program_header_size: U16,
    pub program_header_count: U16,
    pub section_header_size: U16,
    pub section_header_count: U16,
    pub section_names: U16,
}

/// `Elf64_Phdr`.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[cfg_attr(test, derive(zerocopy::IntoBytes))]
#[repr(C)]
pub struct ProgramHeader {
    pub kind: U32,
    pub flags: U32,
    pub offset: U64,
    pub virtual_address: U64,
    pub physical_address: U64,
    pub file_size: U64,
    pub memory_size: U64,
    pub align: U64,
}

/// `Elf64_Nhdr`: a name and a descriptor follow it, each padded.
#[derive(Clone, Copy, FromBytes, Immutable, KnownLayout)]
#[cfg_attr(test, derive(zerocopy::IntoBytes))]
#[repr(C)]
pub struct NoteHeader {
    pub name_size: U32,
    pub descriptor_size: U32,
    pub kind: U32,
}

/// The usual name of an `e_machine`.
pub fn machine_name(machine: u16) -> String {
    let name = match machine {
        2 => "sparc",
        3 => "i386",
        8 => "mips",
        20 => "powerpc",
        21 => "powerpc64",
        22 => "s390x",
        40 => "arm (32-bit)",
        43 => "sparc64",
        MACHINE_X86_64 => "x86_64",
        MACHINE_AARCH64 => "aarch64",
        243 => "riscv",
        258 => "loongarch",
        other => return format!("machine {other}"),
    };
    name.to_owned()
}

/// The usual name of an `e_type`.
pub fn type_name(kind: u16) -> String {
    let name = match kind {
        1 => "a relocatable object",
        TYPE_EXECUTABLE => "an executable",
        3 => "a shared object or position-independent executable",
        4 => "a core dump",
        other => return format!("type {other}"),
    };
    name.to_owned()
}
