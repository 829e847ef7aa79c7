//! The blob writer.

use std::fs::File;
use std::io::{self, Read};

use crate::copy::{CHUNK, CopyError, copy};
use crate::holes::Room;
use crate::tar::{Reader, Run, Source};
use crate::tree::Extent;

/// Every file's data starts at a multiple of this (the block size of our EROFS images, and a page).
pub const PAGE: u64 = 4096;

/// A file's data, with holes that need not be read.
pub trait Data: Read {
    /// What comes next.
    fn run(&mut self) -> Run {
        Run::Data(u64::MAX)
    }

    /// Pass over so many zeros of a hole that comes next.
    fn pass_hole(&mut self, _count: u64) {}
}

impl Data for File {}

impl<S: Source> Data for Reader<S> {
    fn run(&mut self) -> Run {
        Reader::run(self)
    }

    fn pass_hole(&mut self, count: u64) {
        Reader::pass_hole(self, count);
    }
}

/// A blob that grows file by file.
pub struct Blob<W> {
    out: W,
    len: u64,
    buffer: Vec<u8>,
}

impl<W: Room> Blob<W> {
    /// An empty blob.
    pub fn new(out: W) -> Self {
        Self { out, len: 0, buffer: vec![0; CHUNK] }
    }

    /// Append what `data` gives, up to `limit` bytes, and fill up the last page with zeros.
    pub fn append(&mut self, data: &mut impl Data, limit: u64) -> Result<Extent, CopyError> {
        let offset = self.len;
        let mut size = 0;
        while size < limit {
            let left = limit - size;
            match data.run() {
                Run::Hole(count) => {
                    let count = count.min(left);
                    self.out.write_zeros(count).map_err(CopyError::Write)?;
                    data.pass_hole(count);
                    size += count;
                }
                Run::Data(count) => {
                    match copy(data, &mut self.out, count.min(left), &mut self.buffer)? {
                        0 => break,
                        copied => size += copied,
                    }
                }
            }
        }
        let padding = size.wrapping_neg() % PAGE;
        self.out.write_zeros(padding).map_err(CopyError::Write)?;
        self.len += size + padding;
        Ok(Extent { layer: 0, offset, size })
    }

    /// The length so far, a multiple of [`PAGE`].
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Hand over what is still buffered.
    pub fn finish(mut self) -> io::Result<u64> {
        self.out.flush()?;
        Ok(self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    /// What was written byte by byte, and as zeros.
    #[derive(Default)]
    struct Counted {
        bytes: u64,
        zeros: u64,
    }

    impl Write for Counted {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            self.bytes += data.len() as u64;
            Ok(data.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Room for Counted {
        fn write_zeros(&mut self, count: u64) -> io::Result<()> {
            self.zeros += count;
            Ok(())
        }
    }

    /// Ten bytes, a hole of a MiB, and as much once more.
    struct Sparse(u64);

    const PERIOD: u64 = 10 + (1 << 20);

    impl Read for Sparse {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0 += buf.len() as u64;
            Ok(buf.len())
        }
    }

    impl Data for Sparse {
        fn run(&mut self) -> Run {
            match self.0 % PERIOD {
                at @ 0..10 => Run::Data(10 - at),
                at => Run::Hole(PERIOD - at),
            }
        }

        fn pass_hole(&mut self, count: u64) {
            self.0 += count;
        }
    }

    #[test]
    fn no_byte_of_a_hole_is_copied() {
        let mut blob = Blob::new(Counted::default());
        let extent = blob.append(&mut Sparse(0), 2 * PERIOD - 5).unwrap();
        assert_eq!((extent.size, blob.len() % PAGE), (2 * PERIOD - 5, 0));
        assert_eq!((blob.out.bytes, blob.out.zeros), (20, blob.len() - 20));
    }
}
