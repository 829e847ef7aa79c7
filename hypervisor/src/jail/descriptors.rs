//! Descriptors that are none of this process's business, and those that its configuration names.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// What whoever started this program handed over, by its number.
#[derive(Default)]
pub struct Inherited(BTreeMap<RawFd, OwnedFd>);

impl Inherited {
    /// The descriptor of this number, once.
    pub fn take(&mut self, number: RawFd) -> Option<OwnedFd> {
        self.0.remove(&number)
    }

    /// One that a test hands over.
    #[cfg(test)]
    pub fn of(number: RawFd, descriptor: OwnedFd) -> Inherited {
        Inherited(BTreeMap::from([(number, descriptor)]))
    }
}

/// Closes all but stdin, stdout, stderr and those `named`: what is left open by whoever started this program is a way out of
/// any jail (runc's CVE-2024-21626). Comes before anything is opened, and no other thread is there. Gives those `named` that
/// are open.
pub fn close_inherited(named: &[RawFd]) -> io::Result<Inherited> {
    let mut kept = vec![0, 1, 2];
    kept.extend(named.iter().copied().filter(|number| *number > 2));
    kept.sort();
    kept.dedup();
    close_all_but(&kept)?;
    let others = kept.into_iter().filter(|number| *number > 2);
    Ok(Inherited(others.filter_map(|number| Some((number, take(number)?))).collect()))
}

/// The descriptor of this number, if there is one.
fn take(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: fcntl(2) with F_SETFD touches no memory, and fails if the number is no descriptor's.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
        return None;
    }
    // SAFETY: it is open, and was so when this program began: it has opened nothing before that is still open, so that
    // nothing here owns it.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
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
