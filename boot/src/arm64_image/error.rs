//! Why a kernel is refused. Each message says what was found, where, and what would be right.

use crate::source::ReadError;

/// A kernel file that can't be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum ImageError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("not an arm64 Image: no \"ARM\\x64\" at 0x38; it starts with {found:02x?}")]
    NotImage { found: Vec<u8> },
    #[error(
        "{0}, not an arm64 Image: it must be unpacked on the host first; `bulkhead run --kernel` does so \
         by itself, or pass the Image of the same build"
    )]
    Packed(&'static str),
    #[error(
        "an ELF file (vmlinux), not an arm64 Image: pass the Image of the same build \
         (arch/arm64/boot/Image)"
    )]
    Elf,
    #[error("a kernel for {0}: this guest needs one for aarch64")]
    Machine(String),
    #[error(
        "a big-endian kernel (bit 0 of flags at 0x18 is set): this guest needs a little-endian one"
    )]
    BigEndian,
    #[error(
        "text_offset {text_offset:#x} (at 0x8) and image_size {image_size:#x} (at 0x10) wrap around the \
         end of 64 bits"
    )]
    WrapAround { text_offset: u64, image_size: u64 },
    #[error(
        "RAM is too small for the kernel: {image_size} bytes at {gpa:#x} need {needs_mib} MiB, the guest \
         has {has_mib} MiB"
    )]
    RamTooSmall { image_size: u64, gpa: u64, needs_mib: u64, has_mib: u64 },
}
