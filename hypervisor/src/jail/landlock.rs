//! Landlock: no path, no port, no abstract socket, no signal to anybody else (Documentation/userspace-api/landlock.rst).
//!
//! Rights belong to a descriptor from when it was opened, so that the disks and `/dev/kvm` stay what they were. It covers
//! what namespaces leave, `/proc/self/fd` for one, and hosts that give none. A crate would bring its own sets and rules for
//! three system calls that are to name neither.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::Inside;
use super::lack::{Lack, note};

/// `struct landlock_ruleset_attr` (linux/include/uapi/linux/landlock.h), as version 6 has it. Later ones add no field of
/// use here.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rules {
    /// What is done to files that only a rule would allow.
    files: u64,
    /// The same for ports.
    ports: u64,
    /// What is cut off from processes outside.
    scopes: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct Beneath {
    allowed: u64,
    folder: i32,
}

/// `LANDLOCK_ACCESS_FS_*`: from which version on how many, from bit 0 on.
const FILES: [(u32, u32); 5] = [(1, 13), (2, 14), (3, 15), (5, 16), (9, 17)];
/// `LANDLOCK_ACCESS_NET_*`.
const PORTS: [(u32, u32); 2] = [(4, 2), (10, 4)];
/// `LANDLOCK_SCOPE_*`.
const SCOPES: [(u32, u32); 1] = [(6, 2)];

/// `LANDLOCK_ACCESS_FS_RESOLVE_UNIX`: connects to a socket by its path.
const RESOLVE_UNIX: u64 = 1 << 16;
/// `LANDLOCK_CREATE_RULESET_VERSION`.
const VERSION: u32 = 1;
/// `LANDLOCK_RULE_PATH_BENEATH`.
const PATH_BENEATH: u32 = 1;

/// Everything that this version knows.
fn everything(version: u32) -> Rules {
    let all = |kinds: &[(u32, u32)]| {
        let known = kinds.iter().take_while(|(since, _)| *since <= version);
        known.last().map_or(0, |(_, count)| (1 << count) - 1)
    };
    Rules { files: all(&FILES), ports: all(&PORTS), scopes: all(&SCOPES) }
}

/// Puts it on, as far as this kernel has it. There is one thread: before version 8 others would be left out.
pub(super) fn restrict(inside: &mut Inside) -> io::Result<()> {
    let version = match version() {
        Ok(version) => version,
        // Documentation/userspace-api/landlock.rst: not built in, or not switched on.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EOPNOTSUPP)) => {
            note(&mut inside.lacks, Lack::landlock(error));
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let rules = everything(version);
    let ruleset = create(&rules)?;
    if let Some(folder) = inside.folder.as_ref().filter(|_| rules.files & RESOLVE_UNIX != 0) {
        // Where the guest's connections go. The only rule there is.
        allow(&ruleset, RESOLVE_UNIX, folder.as_fd())?;
    }
    // SAFETY: takes a descriptor, and no memory.
    result(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) })?;
    Ok(())
}

fn version() -> io::Result<u32> {
    let (nothing, length) = (std::ptr::null::<Rules>(), 0usize);
    // SAFETY: with this flag there are no attributes.
    let answer =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, length, VERSION) };
    Ok(result(answer)? as u32)
}

fn create(rules: &Rules) -> io::Result<OwnedFd> {
    let length = size_of::<Rules>();
    // SAFETY: attributes of this length, which the call only reads. Older kernels take a longer structure than theirs
    // if what they don't know is 0.
    let descriptor = result(unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, rules as *const Rules, length, 0)
    })?;
    // SAFETY: the descriptor is new, open, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as i32) })
}

fn allow(ruleset: &OwnedFd, what: u64, folder: BorrowedFd) -> io::Result<()> {
    let rule = Beneath { allowed: what, folder: folder.as_raw_fd() };
    // SAFETY: a rule of the kind that is said, which the call only reads.
    result(unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            PATH_BENEATH,
            &raw const rule,
            0,
        )
    })
    .map(drop)
}

fn result(answer: libc::c_long) -> io::Result<libc::c_long> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of Documentation/userspace-api/landlock.rst, "Previous limitations".
    #[test]
    fn each_version_knows_more_than_the_one_before() {
        let rules = |files, ports, scopes| Rules { files, ports, scopes };
        assert_eq!(everything(1), rules(0x1FFF, 0, 0));
        assert_eq!(everything(2), rules(0x3FFF, 0, 0));
        assert_eq!(everything(3), rules(0x7FFF, 0, 0));
        assert_eq!(everything(4), rules(0x7FFF, 3, 0));
        assert_eq!(everything(5), rules(0xFFFF, 3, 0));
        for version in 6..=8 {
            assert_eq!(everything(version), rules(0xFFFF, 3, 3));
        }
        assert_eq!(everything(9), rules(0x1_FFFF, 3, 3));
        assert_eq!(everything(10), rules(0x1_FFFF, 15, 3));
        assert_eq!(everything(99), everything(10));
    }
}
