//! No core dump of a VM, and no debugger of the same user's (PR_SET_DUMPABLE(2const)).

use std::io;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use super::{Inside, end};

/// Forbids both. After the change of user, which resets it; and then asks again to end with the outer process, which the
/// change resets too.
pub(super) fn forbid(inside: &mut Inside) -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    end::follow_the_outside(inside)
}
