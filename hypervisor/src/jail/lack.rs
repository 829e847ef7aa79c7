//! What a host does not give, and how its administrator would allow it.

use std::fmt;
use std::fs;
use std::io;

/// Something that the jail is without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    what: &'static str,
    why: String,
    remedy: String,
}

impl Lack {
    /// Namespaces, and with them the empty root folder.
    pub(super) fn namespaces(error: io::Error) -> Lack {
        Lack::new("namespaces, and so no empty root folder", error, allow_namespaces())
    }

    /// There are namespaces, but not the right to change anything in them.
    pub(super) fn rights(error: io::Error) -> Lack {
        Lack::new("empty root folder", error, allow_namespaces())
    }

    /// Landlock.
    pub(super) fn landlock(error: io::Error) -> Lack {
        let remedy = "a kernel of 5.13 or later with `landlock` in its parameter `lsm=`";
        Lack::new("Landlock", error, remedy.to_owned())
    }

    fn new(what: &'static str, error: io::Error, remedy: String) -> Lack {
        Lack { what, why: error.to_string(), remedy }
    }
}

/// Adds one, unless it is known for another reason.
pub(super) fn note(lacks: &mut Vec<Lack>, lack: Lack) {
    if !lacks.iter().any(|known| known.what == lack.what) {
        lacks.push(lack);
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no {} ({}): what allows it is {}", self.what, self.why, self.remedy)
    }
}

/// Whether the host forbids it, or has none to give: to this user, in this container, or to all. What else goes wrong is
/// no reason to do without.
pub(super) fn is_forbidden(error: &io::Error) -> bool {
    // user_namespaces(7) and clone(2): EPERM; EACCES by AppArmor; ENOSPC and EUSERS by user.max_*_namespaces; EINVAL without
    // one of the kinds, ENOSYS by the filters of containers.
    [libc::EPERM, libc::EACCES, libc::ENOSPC, libc::EUSERS, libc::EINVAL, libc::ENOSYS]
        .map(Some)
        .contains(&error.raw_os_error())
}

/// What stands in the way of an ordinary user's namespaces: a file below `/proc/sys`, what is in it then, and what
/// would be right.
const SWITCHES: [(&str, &str, &str); 3] = [
    // Ubuntu 23.10 and later.
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or an AppArmor profile for bulkhead-vmm with `userns,`",
    ),
    // Debian's kernels.
    ("kernel/unprivileged_userns_clone", "0", "`sysctl -w kernel.unprivileged_userns_clone=1`"),
    ("user/max_user_namespaces", "0", "`sysctl -w user.max_user_namespaces=10000`"),
];

fn allow_namespaces() -> String {
    let stands = |file: &str, wrong: &str| {
        fs::read_to_string(format!("/proc/sys/{file}")).is_ok_and(|text| text.trim() == wrong)
    };
    let found = SWITCHES.iter().find(|(file, wrong, _)| stands(file, wrong));
    let in_a_container =
        "whoever started this container: it must allow user namespaces and mounts in them";
    found.map_or(in_a_container, |(_, _, right)| right).to_owned()
}
