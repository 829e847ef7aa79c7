//! A network namespace of a test's own.

use bulkhead_tests::{skip, tool};
use rustix::thread::{UnshareFlags, unshare_unsafe};

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
