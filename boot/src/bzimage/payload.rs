//! From the payload to the ELF file.

use super::{BzImageError, payload};
use crate::decompress::{Format, decompress};

/// No kernel is larger, whatever its length word says. Debian's are about 60 MB.
const VMLINUX_LIMIT: u64 = 512 << 20;
/// ELF64 (System V ABI, "ELF identification").
const ELF64_MAGIC: [u8; 5] = [0x7f, b'E', b'L', b'F', 2];

/// Takes the kernel's ELF file out of a bzImage.
pub fn extract_vmlinux(bytes: &[u8]) -> Result<Vec<u8>, BzImageError> {
    let payload = payload(bytes)?;
    let vmlinux =
        if payload.starts_with(&ELF64_MAGIC) { payload.to_vec() } else { unfold(payload)? };
    if vmlinux.starts_with(&ELF64_MAGIC) {
        Ok(vmlinux)
    } else {
        let magic = vmlinux[..vmlinux.len().min(ELF64_MAGIC.len())].to_vec();
        Err(BzImageError::NotElf { magic })
    }
}

fn unfold(payload: &[u8]) -> Result<Vec<u8>, BzImageError> {
    // Too short for a length word: the decoder says the rest.
    let (stream, word) = payload.split_last_chunk().unwrap_or((payload, &[0; 4]));
    let size = u64::from(u32::from_le_bytes(*word));
    if size > VMLINUX_LIMIT {
        return Err(BzImageError::TooLarge { size, limit: VMLINUX_LIMIT });
    }
    // gzip ends with its length by itself; after the others the kernel's build puts it.
    let gzip = Format::detect(payload) == Some(Format::Gzip);
    let vmlinux = decompress(if gzip { payload } else { stream }, size as usize)?;
    let got = vmlinux.len() as u64;
    if got == size { Ok(vmlinux) } else { Err(BzImageError::WrongSize { got, size }) }
}
