//! Capabilities (capabilities(7)): what is left of root's rights.

use rustix::io::{Errno, Result};
use rustix::thread::{
    CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities,
};

/// Takes all others out of the bounding set: no file's capabilities and no set-user-ID bit brings them back.
pub(super) fn bound(allowed: CapabilitySet) -> Result<()> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if allowed.contains(capability) {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            // Past CAP_LAST_CAP of this kernel.
            Err(Errno::INVAL) => break,
            result => result?,
        }
    }
    Ok(())
}

/// For root: effective and permitted become what is allowed, inheritable (and with it ambient) nothing.
pub(super) fn reduce(allowed: CapabilitySet) -> Result<()> {
    set_capabilities(
        None,
        CapabilitySets {
            effective: allowed,
            permitted: allowed,
            inheritable: CapabilitySet::empty(),
        },
    )
}
