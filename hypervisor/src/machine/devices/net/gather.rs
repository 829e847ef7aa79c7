//! System calls over guest memory, without a copy in between. The `unsafe` of packets is here.

use std::ffi::c_int;
use std::os::fd::{AsFd, AsRawFd};

use libc::iovec;
use rustix::io::Errno;
use vm_memory::VolatileSlice;

/// What a call is told: where its pieces are.
#[derive(Default)]
pub struct Gather {
    /// Kept for its memory. Between calls there is none.
    vectors: Vec<iovec>,
}

// SAFETY: a pointer is in there only during the call that it is for.
unsafe impl Send for Gather {}

impl Gather {
    /// Writes `head`, and behind it what is in guest memory, in one call (writev(2)). As many pieces as a queue has buffers
    /// are fewer than the kernel's limit, `UIO_MAXIOV`.
    pub fn write(
        &mut self,
        descriptor: impl AsFd,
        head: &[u8],
        rest: &[VolatileSlice<'_>],
    ) -> Result<usize, Errno> {
        let head = iovec { iov_base: head.as_ptr().cast_mut().cast(), iov_len: head.len() };
        self.vectors.push(head);
        self.vectors.extend(rest.iter().map(guest_memory));
        let (descriptor, count) = (descriptor.as_fd().as_raw_fd(), self.vectors.len() as c_int);
        // SAFETY: the call only reads. The first vector is `head`; the others are guest memory, which is mapped as long as
        // its slices live, and to which nobody holds a reference: what the guest changes meanwhile it changes for itself.
        let written = unsafe { libc::writev(descriptor, self.vectors.as_ptr(), count) };
        self.vectors.clear();
        result(written)
    }

    /// Reads to `head`, behind it to guest memory, and then to `rest`, in one call (readv(2)). Of pieces it takes as many as
    /// [`write`](Gather::write).
    pub fn read(
        &mut self,
        descriptor: impl AsFd,
        head: &mut [u8],
        lent: &[VolatileSlice<'_>],
        rest: &mut [u8],
    ) -> Result<usize, Errno> {
        let own =
            |part: &mut [u8]| iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() };
        self.vectors.push(own(head));
        self.vectors.extend(lent.iter().map(guest_memory));
        self.vectors.push(own(rest));
        let (descriptor, count) = (descriptor.as_fd().as_raw_fd(), self.vectors.len() as c_int);
        // SAFETY: the call writes to `head`, to `rest`, and to guest memory, which is mapped as long as its slices live, and
        // to which nobody holds a reference: the guest may change it at any time in any case.
        let read = unsafe { libc::readv(descriptor, self.vectors.as_ptr(), count) };
        self.vectors.clear();
        result(read)
    }
}

/// The guard is only for memory that is mapped while it lives (Xen's); ours always is.
fn guest_memory(slice: &VolatileSlice<'_>) -> iovec {
    let guard = slice.ptr_guard_mut();
    iovec { iov_base: guard.as_ptr().cast(), iov_len: guard.len() }
}

fn result(count: isize) -> Result<usize, Errno> {
    usize::try_from(count)
        .map_err(|_| Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write, pipe};

    use devices::GuestMemory;
    use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

    use super::*;

    fn memory() -> GuestMemory {
        let memory = GuestMemory::from_ranges(&[(GuestAddress(0), 0x1000)]).unwrap();
        memory.write_slice(b"abcdefgh", GuestAddress(0x10)).unwrap();
        memory
    }

    fn slices<const N: usize>(
        memory: &GuestMemory,
        pieces: [(u64, usize); N],
    ) -> [VolatileSlice<'_>; N] {
        pieces.map(|(at, len)| memory.get_slices(GuestAddress(at), len).next().unwrap().unwrap())
    }

    #[test]
    fn pieces_are_written_in_order_behind_the_head() {
        let memory = memory();
        let (mut gather, rest) = (Gather::default(), slices(&memory, [(0x14, 3), (0x10, 2)]));
        let (mut reader, writer) = pipe().unwrap();
        assert_eq!(gather.write(&writer, b"head", &rest), Ok(9));
        drop(writer);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"headefgab");
        drop(reader);
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        assert_eq!(gather.write(&writer, b"head", &rest), Err(Errno::PIPE));
    }

    #[test]
    fn pieces_are_read_in_order_between_head_and_rest() {
        let memory = memory();
        let (mut gather, lent) = (Gather::default(), slices(&memory, [(0x14, 3), (0x10, 2)]));
        let (reader, mut writer) = pipe().unwrap();
        writer.write_all(b"head12345rest").unwrap();
        let (mut head, mut rest) = ([0; 4], [0; 8]);
        assert_eq!(gather.read(&reader, &mut head, &lent, &mut rest), Ok(13));
        assert_eq!((&head, &rest), (b"head", b"rest\0\0\0\0"));
        let mut bytes = [0; 8];
        memory.read_slice(&mut bytes, GuestAddress(0x10)).unwrap();
        assert_eq!(&bytes, b"45cd123h");
        drop(writer);
        assert_eq!(gather.read(&reader, &mut head, &lent, &mut rest), Ok(0));
    }
}
