//! The kinds of threads that a VM has.

/// Each has a filter of its own. The number is what a refusal carries (`SECCOMP_RET_DATA`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thread {
    /// Runs a vCPU.
    Vcpu = 1,
    /// Does a disk's work.
    Disk = 2,
    /// The main thread, once the guest runs.
    EventLoop = 3,
}
