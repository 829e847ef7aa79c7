//! No capability in any set, and no way to get one.

use std::io;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

use super::Inside;

/// Of what programs that this one might start could have. As long as it has the right to.
pub(super) fn bound(_: &mut Inside) -> io::Result<()> {
    clear_ambient_capability_set()?;
    for number in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            // capabilities(7): the one before was the last that this kernel knows.
            Err(Errno::INVAL) => break,
            // Without that right: a user without capabilities, on a host that forbids namespaces. What is in this set
            // nobody gets without new privileges.
            Err(Errno::PERM) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Of what it has itself.
pub(super) fn drop(_: &mut Inside) -> io::Result<()> {
    let none = CapabilitySet::empty();
    let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
    Ok(set_capabilities(None, none)?)
}

/// Nor by set-user-ID programs.
pub(super) fn no_new_privileges(_: &mut Inside) -> io::Result<()> {
    Ok(set_no_new_privs(true)?)
}
