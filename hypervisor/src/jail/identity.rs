//! Who the VM's process is.

use std::fs;
use std::io;

use rustix::process::{Gid, Uid, getegid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::Inside;
use super::lack::{Lack, is_forbidden, note};

/// In a user namespace: stays who it is, and nobody else is there (user_namespaces(7)). What it has opened and what its
/// supplementary groups allow does not change.
pub(super) fn keep(user: Uid, group: Gid, lacks: &mut Vec<Lack>) -> io::Result<()> {
    let (user, group) = (user.as_raw(), group.as_raw());
    let written = fs::write("/proc/self/setgroups", "deny")
        .and_then(|()| fs::write("/proc/self/uid_map", format!("{user} {user} 1")))
        .and_then(|()| fs::write("/proc/self/gid_map", format!("{group} {group} 1")));
    match written {
        // It has become nobody, who owns what this user owns all the same.
        Err(error) if is_forbidden(&error) => {
            note(lacks, Lack::rights(error));
            Ok(())
        }
        result => result,
    }
}

/// As root: becomes the user and group of `--uid`, and leaves all groups.
pub(super) fn change(inside: &mut Inside) -> io::Result<()> {
    let Some(number) = inside.wanted.uid else { return Ok(()) };
    let (user, group) = (Uid::from_raw(number), Gid::from_raw(number));
    // This is the only thread.
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    Ok(set_thread_res_uid(user, user, user)?)
}

/// Who this process is now.
pub(super) fn current() -> (Uid, Gid) {
    (geteuid(), getegid())
}
