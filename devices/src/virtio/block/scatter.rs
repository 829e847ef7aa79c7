//! System calls between a file and guest memory, without a copy in between. The `unsafe` of the block device is here.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;

use libc::{c_int, iovec, off_t, ssize_t};
use vm_memory::VolatileSlice;

/// The most buffers that one call takes (`IOV_MAX`, limits.h; Linux: `UIO_MAXIOV`).
const MAX_BUFFERS: usize = 1024;

/// Fills all `buffers` from `offset` of the file.
pub(super) fn read_at(file: &File, offset: u64, buffers: &[VolatileSlice]) -> io::Result<()> {
    let end = ErrorKind::UnexpectedEof;
    transfer(offset, buffers, end, |vectors, count, offset| {
        // SAFETY: the `count` vectors at `vectors` describe mapped guest memory; `transfer` says more.
        unsafe { libc::preadv(file.as_raw_fd(), vectors, count, offset) }
    })
}

/// Writes all `buffers` at `offset` of the file.
pub(super) fn write_at(file: &File, offset: u64, buffers: &[VolatileSlice]) -> io::Result<()> {
    let end = ErrorKind::WriteZero;
    transfer(offset, buffers, end, |vectors, count, offset| {
        // SAFETY: the `count` vectors at `vectors` describe mapped guest memory; `transfer` says more.
        unsafe { libc::pwritev(file.as_raw_fd(), vectors, count, offset) }
    })
}

/// Writes all `bytes` at `offset` of the file: by the same call, so that a disk needs no other.
pub(super) fn write_bytes_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    let mut vector = [iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }];
    transfer_all(offset, &mut vector, ErrorKind::WriteZero, |vectors, count, offset| {
        // SAFETY: the one vector at `vectors` lies in `bytes`, from which the call only reads.
        unsafe { libc::pwritev(file.as_raw_fd(), vectors, count, offset) }
    })
}

/// Changes how `len` bytes at `offset` of the file are allocated (fallocate(2)).
pub(super) fn allocate(file: &File, mode: c_int, offset: u64, len: u64) -> io::Result<()> {
    let (offset, len) = (to_offset(offset)?, to_offset(len)?);
    loop {
        // SAFETY: the call takes no pointers.
        match unsafe { libc::fallocate(file.as_raw_fd(), mode, offset, len) } {
            0 => return Ok(()),
            _ => retry_if_interrupted()?,
        }
    }
}

/// Repeats `call` until every buffer went through it. `end` is the error when it makes no progress.
///
/// `call` gets pointers into guest memory. They are valid: a `VolatileSlice` borrows the mapping. Nobody holds a
/// reference to that memory, only the kernel touches it; what the guest changes meanwhile it changes for itself.
fn transfer(
    offset: u64,
    buffers: &[VolatileSlice],
    end: ErrorKind,
    call: impl Fn(*const iovec, c_int, off_t) -> ssize_t,
) -> io::Result<()> {
    let guards: Vec<_> = buffers.iter().map(VolatileSlice::ptr_guard_mut).collect();
    let mut vectors: Vec<_> = guards
        .iter()
        .map(|guard| iovec { iov_base: guard.as_ptr().cast(), iov_len: guard.len() })
        .collect();
    transfer_all(offset, &mut vectors, end, call)
}

/// The same for vectors that are there.
fn transfer_all(
    mut offset: u64,
    vectors: &mut [iovec],
    end: ErrorKind,
    call: impl Fn(*const iovec, c_int, off_t) -> ssize_t,
) -> io::Result<()> {
    let mut rest = vectors;
    loop {
        while rest.first().is_some_and(|vector| vector.iov_len == 0) {
            rest = &mut rest[1..];
        }
        if rest.is_empty() {
            return Ok(());
        }
        let count = rest.len().min(MAX_BUFFERS);
        match call(rest.as_ptr(), count as c_int, to_offset(offset)?) {
            0 => return Err(end.into()),
            done if done > 0 => {
                offset += done as u64;
                advance(rest, done as usize);
            }
            _ => retry_if_interrupted()?,
        }
    }
}

/// Takes `done` bytes off the front of `vectors`.
fn advance(vectors: &mut [iovec], mut done: usize) {
    for vector in vectors {
        let step = vector.iov_len.min(done);
        vector.iov_base = vector.iov_base.wrapping_byte_add(step);
        vector.iov_len -= step;
        done -= step;
        if done == 0 {
            return;
        }
    }
}

fn retry_if_interrupted() -> io::Result<()> {
    let error = io::Error::last_os_error();
    if error.kind() == ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

fn to_offset(value: u64) -> io::Result<off_t> {
    off_t::try_from(value).map_err(|_| ErrorKind::InvalidInput.into())
}
