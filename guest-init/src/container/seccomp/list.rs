//! The calls that docker's default profile allows (github.com/moby/profiles, `seccomp/default.json` of June 2026), by their
//! numbers on each architecture that a guest's programs may have.

/// A list of numbers; the names are for those who read it.
macro_rules! calls {
    ($($name:ident = $number:literal),* $(,)?) => { &[$($number),*] };
}
use rustix::thread::CapabilitySet;

#[cfg(any(test, target_arch = "aarch64"))]
pub(super) mod aarch64;
#[cfg(any(test, target_arch = "aarch64"))]
pub(super) mod arm;
#[cfg(any(test, target_arch = "x86_64"))]
pub(super) mod i386;
#[cfg(any(test, target_arch = "x86_64"))]
pub(super) mod x86_64;

/// The newest call of the profile, removexattrat: on all architectures the number is the same since Linux 5.1.
pub(super) const NEWEST: u32 = 466;

/// The calls of one architecture.
pub(super) struct Table {
    /// As `struct seccomp_data` names it (seccomp(2)).
    pub(super) architecture: u32,
    /// Allowed to every process.
    pub(super) always: &'static [u32],
    /// Allowed to a process that may have the capability.
    pub(super) with_capability: &'static [(CapabilitySet, &'static [u32])],
    /// Allowed by their first argument.
    pub(super) socket: u32,
    pub(super) personality: u32,
    pub(super) clone: u32,
    /// Has its arguments where no filter can look.
    pub(super) clone3: u32,
}

/// x32 (x86-64 psABI, "ILP32"): the calls of x86_64 with this bit, and some with numbers of their own.
pub(super) const X32: u32 = 0x4000_0000;

/// Its own numbers (`arch/x86/entry/syscalls/syscall_64.tbl`): where they begin and end; all are allowed but kexec_load and
/// move_pages.
pub(super) const X32_OWN: std::ops::RangeInclusive<u32> = 512..=547;
pub(super) const X32_REFUSED: &[u32] = calls![kexec_load = 528, move_pages = 533];
