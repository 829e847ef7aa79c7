//! Copying where reading and writing are different people's fault.

use std::io::{self, Read, Write};

/// How much is copied at a time, in bytes.
pub const CHUNK: usize = 256 << 10;

/// Which of the two failed.
#[derive(Debug)]
pub enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

/// Copies up to `limit` bytes through a buffer; how many there were.
pub fn copy(
    input: &mut impl Read,
    out: &mut impl Write,
    limit: u64,
    buffer: &mut [u8],
) -> Result<u64, CopyError> {
    let mut copied = 0;
    while copied < limit {
        let wanted = (limit - copied).min(buffer.len() as u64) as usize;
        let got = match input.read(&mut buffer[..wanted]) {
            Ok(0) => break,
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        out.write_all(&buffer[..got]).map_err(CopyError::Write)?;
        copied += got as u64;
    }
    Ok(copied)
}
