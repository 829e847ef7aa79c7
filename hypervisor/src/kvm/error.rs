//! Why KVM did not do what was asked.

use std::io;

/// An error of the kernel's hypervisor.
#[derive(Debug, thiserror::Error)]
pub enum KvmError {
    /// There is no KVM.
    #[error(
        "/dev/kvm does not exist: switch on VT-x or AMD-V (SVM) in the firmware, or nested \
         virtualization in the outer hypervisor, then `modprobe kvm_intel` or `modprobe kvm_amd`"
    )]
    Missing,
    /// KVM is there, for others.
    #[error(
        "no permission on /dev/kvm: `sudo usermod -aG kvm $USER`, then log in again (or let \
         whoever runs this process read and write /dev/kvm)"
    )]
    Permission,
    /// `/dev/kvm` is something else, or broken.
    #[error("/dev/kvm: {0}: expected Linux KVM with API version 12")]
    Open(io::Error),
    /// A call failed.
    #[error("KVM: {call} failed: {error}")]
    Call {
        /// The ioctl, or what it was for.
        call: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// A model-specific register was refused.
    #[error("KVM: vCPU register MSR {index:#x} cannot be set to {value:#x} on this host")]
    Msr {
        /// Its index.
        index: u32,
        /// The value.
        value: u64,
    },
}

impl KvmError {
    /// For `map_err`: names the call that failed.
    pub fn call<E: Into<io::Error>>(call: &'static str) -> impl FnOnce(E) -> KvmError {
        move |error| KvmError::Call { call, error: error.into() }
    }
}
