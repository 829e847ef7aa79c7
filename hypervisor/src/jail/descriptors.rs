//! Descriptors that are none of this process's business.

use std::io;
use std::os::fd::RawFd;

/// Closes all but stdin, stdout and stderr: what is left open by whoever started this program is a way out of any jail
/// (runc's CVE-2024-21626). Comes before anything is opened.
pub fn close_inherited() -> io::Result<()> {
    close_all_but(&[0, 1, 2])
}

/// Closes all but these, which are in order. Their owners don't use what is closed, nor close it again.
pub(super) fn close_all_but(kept: &[RawFd]) -> io::Result<()> {
    let mut first = 0;
    for kept in kept.iter().map(|number| *number as u32).chain([u32::MAX]) {
        if first < kept {
            let last = if kept == u32::MAX { kept } else { kept - 1 };
            // SAFETY: close_range(2) touches no memory. Whoever had one of the descriptors does not use it: see above.
            match unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } {
                0 => {}
                _ => return Err(io::Error::last_os_error()),
            }
        }
        first = kept.saturating_add(1);
    }
    Ok(())
}
