//! bzImage: the compressed kernel of an x86 distribution (Linux Documentation/arch/x86/boot.rst).
//!
//! ```text
//! 0                 512 · (setup_sects + 1)
//! ├─ boot sector ──┬─ setup code ──┬─ decompressor ─┬─ payload ─────────────┬─ …
//! │   0x1f1 setup_sects, 0x202 "HdrS", …            │ compressed vmlinux │size│
//! ```
//!
//! The payload is the kernel's ELF file, and its last four bytes are the ELF's length. A virtual machine needs nothing but that
//! ELF, so it is taken out once, on the host, and the code around it never runs.

#[cfg(feature = "decompress")]
mod payload;
#[cfg(all(test, feature = "decompress"))]
mod tests;

#[cfg(feature = "decompress")]
pub use payload::extract_vmlinux;

/// Places in the real-mode kernel header (boot.rst, "The Real-Mode Kernel Header").
const SETUP_SECTS: usize = 0x1f1;
const BOOT_FLAG: usize = 0x1fe;
const MAGIC: usize = 0x202;
const VERSION: usize = 0x206;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;

/// From this protocol version on the header says where the payload is (Linux 2.6.26).
const FIRST_VERSION_WITH_PAYLOAD: u16 = 0x0208;

/// Why a bzImage can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BzImageError {
    /// No boot protocol header.
    #[error("not a bzImage: no \"HdrS\" at offset 0x202")]
    NotBzImage,
    /// A kernel of before 2008.
    #[error("bzImage: boot protocol {}.{:02} does not say where the kernel is; 2.08 or later does", version >> 8, version & 0xff)]
    TooOld {
        /// The header's version field.
        version: u16,
    },
    /// The header points outside the file.
    #[error(
        "bzImage: the header says that the payload ends at byte {end}, but the file has {len}: truncated or damaged"
    )]
    Truncated {
        /// End of the payload.
        end: u64,
        /// Length of the file.
        len: u64,
    },
    /// The payload's length word asks for too much.
    #[error("bzImage: the payload is said to unfold to {size} bytes; a kernel has at most {limit}")]
    TooLarge {
        /// The length word.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The payload does not unfold.
    #[cfg(feature = "decompress")]
    #[error("bzImage: payload")]
    Payload(#[from] crate::decompress::DecompressError),
    /// The payload unfolds to something else than announced.
    #[error("bzImage: the payload unfolds to {got} bytes, but its last word says {size}")]
    WrongSize {
        /// The length.
        got: u64,
        /// The length word.
        size: u64,
    },
    /// There is no ELF in it.
    #[error("bzImage: the payload is not a 64-bit ELF file: it begins with {magic:02x?}")]
    NotElf {
        /// Up to 5 bytes from the beginning.
        magic: Vec<u8>,
    },
}

/// Whether this is the beginning of a bzImage; at least 0x206 bytes tell.
pub fn is_bzimage(bytes: &[u8]) -> bool {
    bytes.get(BOOT_FLAG..BOOT_FLAG + 2) == Some(&[0x55, 0xaa])
        && bytes.get(MAGIC..MAGIC + 4) == Some(b"HdrS")
}

/// The compressed kernel within the file.
pub fn payload(bytes: &[u8]) -> Result<&[u8], BzImageError> {
    if !is_bzimage(bytes) {
        return Err(BzImageError::NotBzImage);
    }
    let len = bytes.len() as u64;
    let header_end = (PAYLOAD_LENGTH + 4) as u64;
    let Some(header) = bytes.first_chunk::<{ PAYLOAD_LENGTH + 4 }>() else {
        return Err(BzImageError::Truncated { end: header_end, len });
    };
    let version = u16::from_le_bytes([header[VERSION], header[VERSION + 1]]);
    if version < FIRST_VERSION_WITH_PAYLOAD {
        return Err(BzImageError::TooOld { version });
    }
    let word = |at: usize| {
        u64::from(u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]))
    };
    // 0 means 4, from when the boot sector was the beginning of a floppy disk.
    let setup_sectors = match header[SETUP_SECTS] {
        0 => 4,
        n => u64::from(n),
    };
    let start = (setup_sectors + 1) * 512 + word(PAYLOAD_OFFSET);
    let end = start + word(PAYLOAD_LENGTH);
    usize::try_from(start)
        .ok()
        .zip(usize::try_from(end).ok())
        .and_then(|(start, end)| bytes.get(start..end))
        .ok_or(BzImageError::Truncated { end, len })
}
