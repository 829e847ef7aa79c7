//! The system calls of a container: docker's default profile (docs.docker.com, "Seccomp security profiles for Docker"),
//! by its rules: what is not listed is refused with EPERM, as if the process lacked the right; what is newer than the list
//! with ENOSYS, as runc does it (its `libcontainer/seccomp/patchbpf`), so that C libraries try an older call. So is clone3,
//! whose arguments no filter can look into.
//!
//! A guest's programs may have the machine's own architecture or the 32-bit one that its kernel runs too; x32 is a way of
//! calling x86_64. A 32-bit program of PCs can have any socket by socketcall(2), as with docker: its arguments are where no
//! filter can look, and glibc knows no other way. So AF_VSOCK, the way to the host, is not closed to all of a container's
//! processes: what guest-init says there has a key (`protocol::Setup::key`).

mod list;
mod program;
#[cfg(test)]
mod tests;

use libc::sock_filter;
use list::Table;
use rustix::thread::CapabilitySet;

use crate::error::{During, StartError};

/// What a guest's programs may be, the usual first.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURES: [&Table; 2] = [&list::x86_64::X86_64, &list::i386::I386];
#[cfg(target_arch = "aarch64")]
const ARCHITECTURES: [&Table; 2] = [&list::aarch64::AARCH64, &list::arm::ARM];

/// Installs the filter for this process and all that it becomes. The kernel wants CAP_SYS_ADMIN for it, or no_new_privs,
/// which is not set: a container's root may gain rights by set-user-ID programs.
pub(super) fn install(allowed: CapabilitySet) -> Result<(), StartError> {
    load(&program::filter(&ARCHITECTURES, allowed)).during("install the seccomp filter")
}

/// seccomp(2), SECCOMP_SET_MODE_FILTER.
fn load(program: &[sock_filter]) -> std::io::Result<()> {
    let length = program.len().try_into().map_err(std::io::Error::other)?;
    // The kernel only reads it.
    let filter = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: `filter` describes `program`, which outlives the call; the kernel copies and checks it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0 as libc::c_ulong,
            &raw const filter,
        )
    };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
