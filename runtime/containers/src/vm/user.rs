//! A user of its own for each VM of root's: a number that no living VM of this host has besides, and that owns no file.
//!
//! `/run/bulkhead/users/NUMBER` is a link to the folder of the run that has the number. It counts for as long as that
//! folder is there and locked, and so for as long as the run or its VMM lives. Whoever wants a number locks the folder of
//! the links meanwhile, and takes away those that lead nowhere.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::thread::{CapabilitySet, capabilities};

use super::error::VmError;
use super::folder::{failed, lock_ended, open_base};
use host::text::in_one_line;

/// The first number, where nobody chooses another. Nothing that is known takes it or one of the [`USERS`] behind it:
/// systemd leaves 0x7000_0000 to 0x7FFD_FFFF unused (systemd's docs/UIDS-GIDS.md), ranges of /etc/subuid end at
/// 600,100,000 (login.defs(5), `SUB_UID_MAX`), SSSD's at 2,000,200,000 (sssd-ldap(5), `ldap_idmap_range_max`), and
/// FreeIPA's for containers begin at 2^31.
pub const DEFAULT_BASE: u32 = 0x7E00_0000;

/// How many numbers there are from the first on: as many as systemd gives a container.
pub const USERS: u32 = 1 << 16;

/// Numbers below are people's, services' and `nobody`'s (systemd's docs/UIDS-GIDS.md).
pub const FIRST_BASE: u32 = 1 << 16;

/// The last number is "no change" to the system (setresuid(2)).
pub const LAST_BASE: u32 = u32::MAX - USERS;

/// Where everybody who is root on this host looks, whatever their `XDG_RUNTIME_DIR`.
const BASE: &str = "/run/bulkhead";

/// To make namespaces, to change files' groups, and to become another user.
const RIGHTS: CapabilitySet = CapabilitySet::SYS_ADMIN
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID);

/// Owner and group may do all they need: the one is root, the other this VM's.
const FOLDER_MODE: u32 = 0o710;
const SOCKET_MODE: u32 = 0o660;

/// The user of one VM. Given back when this value goes away.
#[derive(Debug)]
pub struct VmUser {
    number: u32,
    claim: PathBuf,
}

impl VmUser {
    /// One for the VM of the run with this locked folder. `None` for who is not root, and for a root who has only part of
    /// its rights, numbers or folders, as in a container, unless a range was asked for.
    pub fn claim(base: Option<u32>, run: &Path) -> Result<Option<Self>, VmError> {
        let first = base.unwrap_or(DEFAULT_BASE);
        let claimed =
            right(first).map_err(|why| VmError::UserRange { base: first, why }).and_then(|()| {
                drop(open_base(Path::new(BASE))?);
                Self::claim_in(&Path::new(BASE).join("users"), first, USERS, run)
            });
        match claimed {
            Err(error) if base.is_none() && is_of_a_lesser_root(&error) => {
                if geteuid().is_root() {
                    log::warn!("the VM has no user of its own: {}", in_one_line(&error));
                }
                Ok(None)
            }
            result => result.map(Some),
        }
    }

    /// The first that is free, from a random one on: a number is not used again right after its VM's end.
    fn claim_in(claims: &Path, base: u32, users: u32, run: &Path) -> Result<Self, VmError> {
        let lock = open_base(claims)?;
        flock(&lock, FlockOperation::LockExclusive)
            .map_err(|error| failed("lock", claims)(error.into()))?;
        sweep(claims);
        let mut random = [0; 4];
        // getrandom(2): up to 256 bytes come whole.
        getrandom(&mut random, GetRandomFlags::empty())
            .map_err(|error| failed("choose a user in", claims)(error.into()))?;
        let start = u32::from_ne_bytes(random) % users;
        for step in 0..users {
            let number = base + (start + step) % users;
            let claim = claims.join(number.to_string());
            if let Some(_lock) = lock_ended(&claim) {
                let _ = fs::remove_file(&claim);
            }
            match symlink(run, &claim) {
                Ok(()) => return Ok(Self { number, claim }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed("note a user in", claims)(error)),
            }
        }
        Err(VmError::NoUser { base, last: base + (users - 1) })
    }

    /// The number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Lets it connect to the socket in the folder, and do nothing else there: both stay root's.
    pub fn let_in(&self, folder: &Path, socket: &Path) -> Result<(), VmError> {
        for (path, mode) in [(socket, SOCKET_MODE), (folder, FOLDER_MODE)] {
            chown(path, None, Some(self.number))
                .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
                .map_err(failed("let the VM's user into", path))?;
        }
        Ok(())
    }
}

impl Drop for VmUser {
    fn drop(&mut self) {
        // What stays leads nowhere, and the next one takes it away.
        let _ = fs::remove_file(&self.claim);
    }
}

/// Whether root, with what it takes, may give these numbers to its VMs; else why not.
pub fn right(base: u32) -> Result<(), &'static str> {
    if !geteuid().is_root() {
        return Err("only root's VMs have users of their own");
    }
    if !capabilities(None).is_ok_and(|sets| sets.effective.contains(RIGHTS)) {
        return Err("this root lacks one of CAP_SYS_ADMIN, CAP_CHOWN, CAP_SETUID and CAP_SETGID");
    }
    let is_there = |map: &str| {
        fs::read_to_string(format!("/proc/self/{map}")).is_ok_and(|text| holds(&text, base))
    };
    match is_there("uid_map") && is_there("gid_map") {
        true => Ok(()),
        false => Err("this root's user namespace has not all of these numbers"),
    }
}

/// Whether a map of user_namespaces(7), lines of inner number, outer number and count, has all numbers of the range.
fn holds(map: &str, base: u32) -> bool {
    map.lines().any(|line| {
        let mut fields = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), _, Some(Ok(count))) = (fields.next(), fields.next(), fields.next())
        else {
            return false;
        };
        first <= u64::from(base) && u64::from(base) + u64::from(USERS) <= first + count
    })
}

/// Whether that is so where root is not all of root: with fewer rights, or without a /run of its own.
fn is_of_a_lesser_root(error: &VmError) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    match error {
        VmError::UserRange { .. } => true,
        VmError::Folder { source, .. } => {
            [NotFound, PermissionDenied, ReadOnlyFilesystem].contains(&source.kind())
        }
        _ => false,
    }
}

/// Takes away what leads nowhere: the run's folder was removed, and not by the run.
fn sweep(claims: &Path) {
    for entry in fs::read_dir(claims).into_iter().flatten().flatten() {
        if entry.path().try_exists().is_ok_and(|there| !there) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// A folder as a living run's, with its lock.
    fn run(work: &Path, name: &str) -> (PathBuf, File) {
        let path = work.join(name);
        fs::create_dir(&path).unwrap();
        let lock = File::open(&path).unwrap();
        flock(&lock, FlockOperation::LockShared).unwrap();
        (path, lock)
    }

    #[test]
    fn two_living_vms_never_have_the_same_user() {
        let work = tempfile::tempdir().unwrap();
        let claims = work.path().join("users");
        let runs = ["a", "b", "c"].map(|name| run(work.path(), name));
        let claim = |number: usize| VmUser::claim_in(&claims, 70_000, 3, &runs[number].0);
        let users = [claim(0).unwrap(), claim(1).unwrap(), claim(2).unwrap()];
        let mut numbers = users.each_ref().map(VmUser::number);
        numbers.sort();
        assert_eq!(numbers, [70_000, 70_001, 70_002]);
        let error = claim(0).unwrap_err().to_string();
        assert!(error.contains("70000 to 70002"), "{error}");
        let [first, second, third] = users;
        let number = second.number();
        drop(second);
        assert_eq!(claim(1).unwrap().number(), number);
        drop((first, third));
        assert_eq!(fs::read_dir(&claims).unwrap().count(), 0);
    }

    #[test]
    fn a_user_is_taken_for_as_long_as_run_or_vmm_lives() {
        let work = tempfile::tempdir().unwrap();
        let claims = work.path().join("users");
        let (killed, lock) = run(work.path(), "killed");
        let (next, _next_lock) = run(work.path(), "next");
        let claim = |run| VmUser::claim_in(&claims, 70_000, 1, run);
        // The run was killed: nobody gives the number back.
        std::mem::forget(claim(&killed).unwrap());
        let vmm = File::open(&killed).unwrap();
        flock(&vmm, FlockOperation::LockShared).unwrap();
        drop(lock);
        assert!(matches!(claim(&next), Err(VmError::NoUser { .. })));
        drop(vmm);
        std::mem::forget(claim(&next).unwrap());
        // And where somebody has removed the folder of one.
        fs::remove_dir(&next).unwrap();
        let (last, _last_lock) = run(work.path(), "last");
        assert_eq!(claim(&last).unwrap().number(), 70_000);
    }

    #[test]
    fn a_namespace_with_part_of_the_range_does_not_do() {
        let all = "         0          0 4294967295\n";
        assert!(holds(all, DEFAULT_BASE) && holds(all, FIRST_BASE) && holds(all, LAST_BASE));
        let rootless = "0 1000 1\n1 100000 65536\n";
        assert!(!holds(rootless, DEFAULT_BASE) && !holds(rootless, FIRST_BASE));
        assert!(holds("65536 5 65536", FIRST_BASE) && !holds("65536 5 65535", FIRST_BASE));
        assert!(!holds("", FIRST_BASE) && !holds("a b c", FIRST_BASE));
    }

    #[test]
    fn a_lesser_root_does_without() {
        let of = |kind: io::ErrorKind| failed("make", Path::new("/run/bulkhead"))(kind.into());
        assert!(is_of_a_lesser_root(&of(io::ErrorKind::ReadOnlyFilesystem)));
        assert!(is_of_a_lesser_root(&VmError::UserRange { base: 70_000, why: "so" }));
        assert!(!is_of_a_lesser_root(&of(io::ErrorKind::StorageFull)));
        assert!(!is_of_a_lesser_root(&VmError::NoUser { base: 70_000, last: 70_001 }));
    }

    #[test]
    fn the_default_range_is_nobody_else_s() {
        // systemd's docs/UIDS-GIDS.md, "Summary", and its range of foreign users from 0x7FFE_0000 on.
        const { assert!(0x7000_0000 <= DEFAULT_BASE && DEFAULT_BASE + USERS <= 0x7FFE_0000) };
        const { assert!(DEFAULT_BASE > 2_000_200_000, "SSSD's") };
    }
}
