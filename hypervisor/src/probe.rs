//! Can this machine's KVM run Linux? Asked by trying, not by looking at names.
//!
//! Some clouds offer a `/dev/kvm` that interprets the guest's kernel mode instead of letting the
//! processor run it. It is good for guests that need little, and useless for Linux: it lacks
//! instructions that a kernel uses, and is a thousand times slower. So a guest of a few hundred
//! bytes does what a Linux kernel does early, and is timed.

mod run;

use std::fmt;

use crate::kvm::KvmError;

/// What KVM can do here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Everything.
    Linux,
    /// Perhaps everything, but a kernel would take very long, and how that shows.
    Slow(String),
    /// Small guests of our own, and why no more.
    Bare(String),
    /// Nothing, and why.
    None(String),
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ability::Linux => f.write_str("linux"),
            Ability::Slow(reason) => write!(f, "slow: {reason}"),
            Ability::Bare(reason) => write!(f, "bare: {reason}"),
            Ability::None(reason) => write!(f, "none: {reason}"),
        }
    }
}

/// Runs the probe's guest.
pub fn probe() -> Ability {
    match run::run() {
        Ok(run::Verdict::Passed) => Ability::Linux,
        Ok(run::Verdict::Slow(reason)) => Ability::Slow(reason),
        Ok(run::Verdict::Failed(reason)) => Ability::Bare(reason),
        Err(error) => Ability::None(error.to_string()),
    }
}

/// Why the probe's guest could not even be started.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// KVM refused.
    #[error(transparent)]
    Kvm(#[from] KvmError),
    /// No memory for it.
    #[error(transparent)]
    Memory(#[from] crate::memory::MemoryError),
    /// No way to stop it.
    #[error("cannot start a thread for the probe: {0}")]
    Thread(std::io::Error),
}
