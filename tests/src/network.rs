//! A host of a test's own, as far as networks go.

use std::path::Path;

use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use crate::{have, is_root, skip, tool};

/// An address of the host's that does not stand for itself (RFC 5737: nobody else has it).
pub const NOT_LOOPBACK: &str = "198.51.100.1";

/// Gives this thread, and all that it starts, a network namespace, whose loopback interface has an address that leads out of
/// it and a link-local one: passt has IPv6 then.
pub fn alone(test: &str) -> bool {
    // SAFETY: the thread has a network namespace of its own from then on; it shares all else.
    if let Err(error) = unsafe { unshare_unsafe(UnshareFlags::NEWNET) } {
        skip(test, &format!("no network namespace: {error}"));
        return false;
    }
    tool("ip", &["link", "set", "lo", "up"]);
    tool("ip", &["address", "add", &format!("{NOT_LOOPBACK}/32"), "dev", "lo"]);
    tool("ip", &["address", "add", "fe80::1/64", "dev", "lo", "nodad"]);
    true
}

/// What makes networks that have names.
const NETAVARK: [&str; 2] = ["/usr/lib/podman/netavark", "/usr/lib/podman/aardvark-dns"];

/// Gives this thread, and all that it starts, network and mount namespaces, where root's networks of names can be, and these
/// programs are: a line says what is missing.
pub fn alone_with_netavark(test: &str, programs: &[&str]) -> bool {
    if !is_root(test) || !have(test, programs) {
        return false;
    }
    if let Some(missing) = NETAVARK.iter().find(|path| !Path::new(path).is_file()) {
        skip(test, &format!("{missing} is not installed"));
        return false;
    }
    // SAFETY: the thread has network and mount namespaces, and a working directory, of its own from then on.
    if let Err(error) = unsafe { unshare_unsafe(UnshareFlags::NEWNET | UnshareFlags::NEWNS) } {
        skip(test, &format!("no namespaces: {error}"));
        return false;
    }
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    tool("ip", &["link", "set", "lo", "up"]);
    tool("ip", &["address", "add", &format!("{NOT_LOOPBACK}/32"), "dev", "lo"]);
    true
}
