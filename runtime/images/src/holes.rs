//! Writing a file with holes where its data is zeros: a small archive can hold terabytes of them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;

/// Something to write to, with many zeros at once.
pub trait Room: Write {
    /// Write so many zeros.
    fn write_zeros(&mut self, count: u64) -> io::Result<()>;
}

impl Room for Vec<u8> {
    fn write_zeros(&mut self, count: u64) -> io::Result<()> {
        let len = usize::try_from(count).ok().and_then(|count| self.len().checked_add(count));
        self.resize(len.ok_or(io::ErrorKind::OutOfMemory)?, 0);
        Ok(())
    }
}

impl<W: Room> Room for &mut W {
    fn write_zeros(&mut self, count: u64) -> io::Result<()> {
        (**self).write_zeros(count)
    }
}

impl<W: Room> Room for BufWriter<W> {
    fn write_zeros(&mut self, count: u64) -> io::Result<()> {
        // Few are not worth a write of their own.
        const FEW: [u8; PIECE] = [0; PIECE];
        if count <= FEW.len() as u64 {
            return self.write_all(&FEW[..count as usize]);
        }
        self.flush()?;
        self.get_mut().write_zeros(count)
    }
}

/// The pieces that are looked at: a hole of less than a block is none (Linux file systems have blocks of 4 KiB as a rule).
const PIECE: usize = 4096;

/// A new, empty file that is written from its start. Its length is right after [`Write::flush`].
pub struct Holes<'a> {
    file: &'a File,
    position: u64,
}

impl<'a> Holes<'a> {
    /// Write to `file`, in which nothing is yet: what is not written reads as zeros.
    pub fn new(file: &'a File) -> Self {
        Self { file, position: 0 }
    }
}

impl Write for Holes<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        // Up to where a piece of the other kind begins.
        let to_boundary = PIECE - (self.position % PIECE as u64) as usize;
        let first = data.len().min(to_boundary);
        let zeros = is_zero(&data[..first]);
        let mut count = first;
        while count < data.len() {
            let end = data.len().min(count + PIECE);
            if is_zero(&data[count..end]) != zeros {
                break;
            }
            count = end;
        }
        if !zeros {
            self.file.write_all_at(&data[..count], self.position)?;
        }
        self.position += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.set_len(self.position)
    }
}

impl Room for Holes<'_> {
    fn write_zeros(&mut self, count: u64) -> io::Result<()> {
        self.position = self.position.checked_add(count).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(())
    }
}

/// Looks at all bytes, without a branch for each: most data ends the first comparison.
fn is_zero(data: &[u8]) -> bool {
    data.first().is_none_or(|&byte| byte == 0) && data.iter().fold(0, |all, &byte| all | byte) == 0
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn zeros_take_no_room_on_the_disk() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut out = Holes::new(file.as_file());
        out.write_all(b"start").unwrap();
        for _ in 0..64 {
            out.write_all(&[0; 1 << 20]).unwrap();
        }
        out.flush().unwrap();
        let metadata = file.as_file().metadata().unwrap();
        assert_eq!(metadata.len(), (64 << 20) + 5);
        // st_blocks counts 512 bytes (stat(2)).
        assert!(metadata.blocks() * 512 < 1 << 20, "{} blocks", metadata.blocks());
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_there(
            runs in prop::collection::vec((0u8..2, 0usize..10_000, any::<bool>()), 0..8),
        ) {
            let file = tempfile::NamedTempFile::new().unwrap();
            let mut out = BufWriter::new(Holes::new(file.as_file()));
            let mut all = Vec::new();
            for (byte, len, at_once) in runs {
                match at_once && byte == 0 {
                    true => out.write_zeros(len as u64).unwrap(),
                    false => out.write_all(&vec![byte; len]).unwrap(),
                }
                all.resize(all.len() + len, byte);
            }
            out.flush().unwrap();
            drop(out);
            prop_assert_eq!(fs::read(file.path()).unwrap(), all);
        }
    }
}
