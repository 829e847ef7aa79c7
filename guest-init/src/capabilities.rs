//! What root may do in a container: docker's and containerd's default set.

use rustix::io::{Errno, Result};
use rustix::thread::{
    CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities,
};

/// The 14 capabilities of containerd's `oci.defaultUnixCaps`.
pub const DEFAULT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);

/// Takes all others out of the bounding set: no file's capabilities and no set-user-ID bit brings them back.
/// No allocation: it runs between fork(2) and execve(2).
pub fn bound() -> Result<()> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if DEFAULT.contains(capability) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            // capabilities(7): past CAP_LAST_CAP of this kernel.
            Err(Errno::INVAL) => break,
            result => result?,
        }
    }
    Ok(())
}

/// For root: effective and permitted become the default set, inheritable (and with it ambient) nothing. Another user
/// lost them all when it stopped being root (capabilities(7), "Effect of user ID changes").
pub fn reduce() -> Result<()> {
    set_capabilities(
        None,
        CapabilitySets {
            effective: DEFAULT,
            permitted: DEFAULT,
            inheritable: CapabilitySet::empty(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_s_fourteen() {
        assert_eq!(DEFAULT.iter().count(), 14);
        // CapEff in /proc/self/status of a container that docker or podman's docker-compatible default starts.
        assert_eq!(DEFAULT.bits(), 0xa80425fb);
    }
}
