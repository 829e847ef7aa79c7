//! How many files this process may have open.

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::limits;

/// The usual limit of 1,024 is less than fifty processes in the container need. As much as is allowed will have to do.
pub(super) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limits::DESCRIPTORS.min(limit.maximum.unwrap_or(u64::MAX));
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        // Allowed: it is not above the maximum.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
