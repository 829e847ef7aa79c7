//! What stands behind a block device: a row of bytes.

use std::io;

use vm_memory::VolatileSlice;

/// The back end of a block device. Ranges that it is asked for lie within [`len`](Self::len); the device checks.
///
/// A disk that is never written to keeps the default methods: they refuse.
#[allow(clippy::len_without_is_empty, reason = "an empty disk is nothing to ask for")]
pub trait Disk: Send {
    /// Its length in bytes. What does not fill a sector of 512 bytes is out of the guest's reach.
    fn len(&self) -> u64;

    /// Fills the guest memory `buffers`, one after the other.
    fn read_at(&mut self, offset: u64, buffers: &[VolatileSlice]) -> io::Result<()>;

    /// Writes the guest memory `buffers`, one after the other.
    fn write_at(&mut self, _offset: u64, _buffers: &[VolatileSlice]) -> io::Result<()> {
        Err(read_only())
    }

    /// Makes what was written survive a power cut.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// The guest does not need these bytes any more. They may read as anything from now on.
    fn discard(&mut self, _offset: u64, _len: u64) -> io::Result<()> {
        Err(read_only())
    }

    /// These bytes read as zero from now on; with `unmap` they need no space.
    fn write_zeroes(&mut self, _offset: u64, _len: u64, _unmap: bool) -> io::Result<()> {
        Err(read_only())
    }
}

fn read_only() -> io::Error {
    io::ErrorKind::ReadOnlyFilesystem.into()
}
