//! What whoever started this program has in their environment: passwords, often.

use std::ffi::{CStr, c_char};
use std::{io, ptr};

use super::Inside;

unsafe extern "C" {
    /// environ(7).
    static mut environ: *mut *mut c_char;
}

/// Forgets it, and puts zeros where it was: what `/proc/PID/environ` shows is that memory.
pub(super) fn clear(_: &mut Inside) -> io::Result<()> {
    // SAFETY: there is no other thread yet, so nobody reads or changes the environment meanwhile. It is an array of
    // strings with a null pointer behind the last one, and each string is this process's to write to.
    unsafe {
        let mut next = environ;
        while !next.is_null() && !(*next).is_null() {
            let length = CStr::from_ptr(*next).to_bytes().len();
            ptr::write_bytes(*next, 0, length);
            next = next.add(1);
        }
        match libc::clearenv() {
            0 => Ok(()),
            _ => Err(io::Error::other("clearenv failed")),
        }
    }
}
