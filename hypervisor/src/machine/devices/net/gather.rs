//! A system call over guest memory, without a copy in between. The `unsafe` of packets is here.

use std::ffi::c_int;
use std::os::fd::{AsFd, AsRawFd};

use libc::iovec;
use rustix::io::Errno;
use vm_memory::VolatileSlice;

/// Writes `head`, and behind it what is in guest memory, in one call (writev(2)). As many pieces as a queue has buffers are
/// fewer than the kernel's limit, `UIO_MAXIOV`.
pub fn write(
    descriptor: impl AsFd,
    head: &[u8],
    rest: &[VolatileSlice<'_>],
) -> Result<usize, Errno> {
    let guards: Vec<_> = rest.iter().map(VolatileSlice::ptr_guard).collect();
    let mut vectors = Vec::with_capacity(1 + guards.len());
    vectors.push(iovec { iov_base: head.as_ptr().cast_mut().cast(), iov_len: head.len() });
    vectors.extend(
        guards.iter().map(|guard| iovec {
            iov_base: guard.as_ptr().cast_mut().cast(),
            iov_len: guard.len(),
        }),
    );
    let descriptor = descriptor.as_fd().as_raw_fd();
    // SAFETY: the call only reads. The first vector is `head`; the others are guest memory, which is mapped as long as its
    // slices live, and to which nobody holds a reference: what the guest changes meanwhile it changes for itself.
    let written = unsafe { libc::writev(descriptor, vectors.as_ptr(), vectors.len() as c_int) };
    usize::try_from(written)
        .map_err(|_| Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, pipe};

    use devices::GuestMemory;
    use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

    use super::*;

    #[test]
    fn pieces_are_written_in_order_behind_the_head() {
        let memory = GuestMemory::from_ranges(&[(GuestAddress(0), 0x1000)]).unwrap();
        memory.write_slice(b"abcdefgh", GuestAddress(0x10)).unwrap();
        let pieces = [(0x14, 3), (0x10, 2)];
        let rest = pieces
            .map(|(at, len)| memory.get_slices(GuestAddress(at), len).next().unwrap().unwrap());
        let (mut reader, writer) = pipe().unwrap();
        assert_eq!(write(&writer, b"head", &rest), Ok(9));
        drop(writer);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"headefgab");
        drop(reader);
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        assert_eq!(write(&writer, b"head", &rest), Err(Errno::PIPE));
    }
}
