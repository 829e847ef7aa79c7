//! Why a namespace's interfaces cannot be a VM's, in one line.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use protocol::{Cidr, NetworkError};
use rustix::io::Errno;

use super::redirect::Cookie;
use crate::network::netlink::NetlinkError;
use crate::network::netns::NetnsError;

/// Why the interfaces of the namespace at a path cannot be a VM's.
#[derive(Debug)]
pub struct AttachError {
    path: PathBuf,
    fault: Fault,
}

impl AttachError {
    pub(super) fn of(path: &Path) -> impl Fn(Fault) -> Self {
        move |fault| Self { path: path.to_owned(), fault }
    }
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "network namespace {}: {}", self.path.display(), self.fault)
    }
}

impl Error for AttachError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.fault.source()
    }
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Netns(#[from] NetnsError),
    #[error("is this machine's own; a VM can have one that is made for it")]
    Own,
    #[error("cannot draw a random number")]
    Random(#[source] Errno),
    #[error("cannot talk with the kernel's network")]
    Netlink(#[source] NetlinkError),
    #[error("cannot read its {what}")]
    Read { what: &'static str, source: NetlinkError },
    #[error("it has no Ethernet interface with an address besides lo; make one first")]
    Empty,
    #[error("interface {name}: has addresses, but is down; must be up: ip link set {name} up")]
    Down { name: String },
    #[error("interface {name}: is no Ethernet but {kind}, which no VM can have")]
    NotEthernet { name: String, kind: String },
    #[error("interface {name}: the route to {to} {surplus}, which no guest is told")]
    Route { name: String, to: Cidr, surplus: &'static str },
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("interface {name}: is another VM's already{}", of(.owner))]
    Taken { name: String, cookie: Cookie, owner: Option<String> },
    #[error(
        "interface {name}: somebody has given it the qdisc {kind}; must have none at its ingress"
    )]
    Qdisc { name: String, kind: String },
    #[error("interface {name}: the kernel has no {modules}; must have: modprobe -a {modules}")]
    Modules { name: String, modules: &'static str },
    #[error("interface {name}: cannot {action}")]
    Interface { name: String, action: &'static str, source: NetlinkError },
    #[error("interface {name}: cannot make a TAP beside it")]
    Tap { name: String, source: io::Error },
    #[error("cannot keep {}", path.display())]
    Record { path: PathBuf, source: io::Error },
}

impl Fault {
    pub(super) fn reading(what: &'static str) -> impl Fn(NetlinkError) -> Self {
        move |source| Fault::Read { what, source }
    }

    pub(super) fn interface(name: &str, action: &'static str) -> impl Fn(NetlinkError) -> Self {
        move |source| Fault::Interface { name: name.to_owned(), action, source }
    }
}

/// Whose, as far as it is known.
fn of(owner: &Option<String>) -> String {
    owner.as_ref().map(|owner| format!(": that of {owner}")).unwrap_or_default()
}

/// What a kernel without a module says to who wants it (linux/net/sched/, `request_module`).
pub(super) fn is_missing(error: Errno) -> bool {
    error == Errno::NOENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use host::text::in_one_line;

    #[test]
    fn no_error_says_its_cause_twice() {
        const CAUSE: &str = "the disk is full";
        let io = || io::Error::other(CAUSE);
        let answer = || NetlinkError::Answer(CAUSE.into());
        let name = || "eth0".to_owned();
        let faults = [
            Fault::Netns(NetnsError::Open(io())),
            Fault::Netns(NetnsError::Enter(io())),
            Fault::Netlink(answer()),
            Fault::Read { what: "routes", source: answer() },
            Fault::Interface { name: name(), action: "redirect what comes in", source: answer() },
            Fault::Tap { name: name(), source: io() },
            Fault::Record { path: "/record".into(), source: io() },
        ];
        for fault in faults {
            let text = in_one_line(&AttachError::of(Path::new("/run/netns/a"))(fault));
            assert_eq!(text.matches(CAUSE).count(), 1, "{text}");
            assert!(text.starts_with("network namespace /run/netns/a: "), "{text}");
        }
    }
}
