//! Why a kernel is refused. Each message says what was found, where, and what would be right.

use crate::source::ReadError;

/// A kernel file that can't be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum ElfError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("not an ELF file: it starts with {found:02x?}, not with 7f 45 4c 46")]
    NotElf { found: [u8; 4] },
    #[error(
        "a bzImage, not an ELF file: it must be unpacked on the host first; `bulkhead run --kernel` \
         does so by itself, or pass the vmlinux of the same build"
    )]
    BzImage,
    #[error(
        "a 32-bit ELF file (e_ident[EI_CLASS] at 0x4 is 1): an x86_64 guest needs a 64-bit one"
    )]
    Bits32,
    #[error("unknown ELF class {0} (e_ident[EI_CLASS] at 0x4): it must be 2, 64-bit")]
    Class(u8),
    #[error("unknown ELF data encoding {0} (e_ident[EI_DATA] at 0x5): it must be 1, little-endian")]
    Encoding(u8),
    #[error("a kernel for {0}: this guest needs one for x86_64")]
    Machine(String),
    #[error("{0} (e_type at 0x10): a kernel is an executable at fixed addresses, type 2")]
    Type(String),
    #[error(
        "program headers are {0} bytes each (e_phentsize at 0x36): in a 64-bit ELF file they are 56"
    )]
    ProgramHeaderSize(u16),
    #[error("{count} program headers (e_phnum at 0x38): a kernel has 1 to {max}")]
    ProgramHeaderCount { count: u16, max: u16 },
    #[error("no segment to load among the program headers: this is not a kernel")]
    NothingToLoad,
    #[error(
        "segment {index}: {file_len:#x} bytes in the file but only {mem_len:#x} in memory: \
         p_filesz must not exceed p_memsz"
    )]
    FileLongerThanMemory { index: usize, file_len: u64, mem_len: u64 },
    #[error(
        "segment {index}: {what} {start:#x} plus {len:#x} bytes wraps around the end of 64 bits"
    )]
    WrapAround { index: usize, what: &'static str, start: u64, len: u64 },
    #[error(
        "segment {index}: its address {gpa:#x} is in low memory, which holds boot data: \
         a kernel's segments start at {lowest:#x} or above"
    )]
    LowMemory { index: usize, gpa: u64, lowest: u64 },
    #[error("segment {index}: {gpa:#x}..{end:#x} is not in RAM: RAM is {ram}")]
    OutsideRam { index: usize, gpa: u64, end: u64, ram: String },
    #[error(
        "RAM is too small for the kernel: it needs {needs_mib} MiB, the guest has {has_mib} MiB"
    )]
    RamTooSmall { needs_mib: u64, has_mib: u64 },
    #[error(
        "segments {first} and {second} overlap at {gpa:#x}: each needs an address range of its own"
    )]
    Overlap { first: usize, second: usize, gpa: u64 },
    #[error("the {kind} entry point {entry:#x} is in no segment that the file fills")]
    EntryOutside { kind: &'static str, entry: u64 },
    #[error("the notes of segment {index} are {len} bytes: at most {max} are read")]
    NotesTooLong { index: usize, len: u64, max: u64 },
    #[error("the note at {offset:#x} of the file ends after its segment: notes must lie inside it")]
    NoteOutside { offset: u64 },
    #[error("the PVH entry note at {offset:#x} of the file holds {len} bytes: it must hold 4 or 8")]
    PvhNoteSize { offset: u64, len: usize },
    #[error("the PVH entry point {entry:#x} is above 4 GiB: it is entered in 32-bit mode")]
    PvhEntryHigh { entry: u64 },
}
