//! Compressed Images: as one stream (`Image.gz`), and as an EFI zboot image (Linux
//! drivers/firmware/efi/libstub/zboot-header.S), which unpacks itself when firmware starts it:
//!
//! ```text
//! 0      4        8                12             16       24
//! ├ "MZ" ┼ "zimg" ┼ payload offset ┼ payload size ┼ unused ┼ compression's name ┼ … payload …
//! ```
//!
//! A virtual machine needs nothing but the Image, so it is taken out once, on the host.

#[cfg(test)]
mod tests;

use super::is_image;
use crate::decompress::{DecompressError, Format, decompress};
use zerocopy::FromBytes;
use zerocopy::little_endian::U32;
use zerocopy::{Immutable, KnownLayout};

/// No kernel is larger. Debian's are about 40 MB.
const IMAGE_LIMIT: usize = 512 << 20;

/// Why there is no Image to be had.
#[derive(Debug, thiserror::Error)]
pub enum PackedError {
    /// The header points outside the file.
    #[error(
        "EFI zboot image: the header says that the payload ends at byte {end}, but the file has {len}: \
         truncated or damaged"
    )]
    Truncated {
        /// End of the payload.
        end: u64,
        /// Length of the file.
        len: u64,
    },
    /// Linux has more ways to compress than are worth having here.
    #[error(
        "EFI zboot image: the payload is compressed by \"{name}\"; known are gzip, zstd, lz4 and xz"
    )]
    Compression {
        /// As the header has it.
        name: String,
    },
    /// The stream does not unfold.
    #[error(transparent)]
    Payload(#[from] DecompressError),
    /// There is something else in it.
    #[error("it unfolds to no arm64 Image: no \"ARM\\x64\" at 0x38; it starts with {start:02x?}")]
    NotImage {
        /// Up to 8 bytes from the beginning.
        start: Vec<u8>,
    },
}

/// The header of an EFI zboot image.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Zboot {
    dos_magic: [u8; 4],
    magic: [u8; 4],
    payload_offset: U32,
    payload_size: U32,
    reserved: [U32; 2],
    compression: [u8; 32],
}

impl Zboot {
    fn of(bytes: &[u8]) -> Option<Zboot> {
        let (zboot, _) = Zboot::read_from_prefix(bytes).ok()?;
        (zboot.dos_magic == *b"MZ\0\0" && zboot.magic == *b"zimg").then_some(zboot)
    }

    fn payload<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8], PackedError> {
        let start = self.payload_offset.get() as usize;
        let end = start.saturating_add(self.payload_size.get() as usize);
        let truncated = PackedError::Truncated { end: end as u64, len: bytes.len() as u64 };
        let payload = bytes.get(start..end).ok_or(truncated)?;
        if Format::detect(payload).is_none() {
            let name = self.compression.split(|&byte| byte == 0).next().unwrap_or_default();
            return Err(PackedError::Compression { name: name.escape_ascii().to_string() });
        }
        Ok(payload)
    }
}

/// Whether this is the beginning of a file that [`extract_image`] may find an Image in; its first 64
/// bytes tell.
pub fn is_packed(start: &[u8]) -> bool {
    Zboot::of(start).is_some() || Format::detect(start).is_some()
}

/// Takes the Image out of a compressed one.
pub fn extract_image(bytes: &[u8]) -> Result<Vec<u8>, PackedError> {
    let stream = match Zboot::of(bytes) {
        Some(zboot) => zboot.payload(bytes)?,
        None => bytes,
    };
    let image = decompress(stream, IMAGE_LIMIT)?;
    if is_image(&image) {
        Ok(image)
    } else {
        Err(PackedError::NotImage { start: image[..image.len().min(8)].to_vec() })
    }
}
