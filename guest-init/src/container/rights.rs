//! What a process may: resource limits, capabilities, user, system calls, in the order in which each step still may.

use protocol::{Limit, Process};
use rustix::process::{Gid, Uid};
use rustix::thread::CapabilitySet;

use super::{capabilities, seccomp};
use crate::error::{During, StartError};
use crate::users::User;

/// RLIMIT_NOFILE, asm-generic/resource.h. systemd's default for it, and so docker's: enough descriptors for servers, a soft
/// limit that select(2) survives.
const OPEN_FILES: Limit = Limit { resource: 7, soft: Some(1024), hard: Some(524_288) };

/// Sets the limits, those of the caller after the usual ones.
pub(super) fn limit(limits: &[Limit]) -> Result<(), StartError> {
    for limit in std::iter::once(&OPEN_FILES).chain(limits) {
        let number = |limit: Option<u64>| limit.unwrap_or(libc::RLIM_INFINITY);
        let value = libc::rlimit { rlim_cur: number(limit.soft), rlim_max: number(limit.hard) };
        // SAFETY: setrlimit(2) reads one rlimit; a resource that there is not is refused. The C libraries differ in the
        // type of its number.
        let result = unsafe { libc::setrlimit(limit.resource.into(), &raw const value) };
        if result != 0 {
            let error = std::io::Error::last_os_error();
            return Err(error).during(format!("set resource limit {}", limit.resource));
        }
    }
    Ok(())
}

/// Makes this process the user's, with no more rights than the caller gave.
pub(super) fn give(process: &Process, user: &User) -> Result<(), StartError> {
    let allowed = CapabilitySet::from_bits_retain(process.capabilities);
    if process.no_new_privileges {
        rustix::thread::set_no_new_privs(true).during("forbid new privileges")?;
    }
    if process.seccomp {
        // While it still may, whatever the caller allows.
        seccomp::install(allowed)?;
    }
    let groups: Vec<Gid> = user.groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    capabilities::bound(allowed).during("drop capabilities")?;
    rustix::thread::set_thread_groups(&groups).during("set the user's groups")?;
    rustix::thread::set_thread_res_gid(gid, gid, gid).during("set the user's group")?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).during("become the user")?;
    // Another user has lost them all at this point (capabilities(7), "Effect of user ID changes").
    if uid.is_root() { capabilities::reduce(allowed).during("drop capabilities") } else { Ok(()) }
}
