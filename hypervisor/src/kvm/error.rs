//! Why KVM did not do what was asked.

use std::io;

use arch::aarch64::gic::Gic;
use arch::aarch64::ipa::IpaError;

use crate::native::NO_KVM;

/// An error of the kernel's hypervisor.
#[derive(Debug, thiserror::Error)]
pub enum KvmError {
    /// There is no KVM.
    #[error("/dev/kvm does not exist: {NO_KVM}")]
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
    #[error("KVM: {call} failed: {error}")]
    Call {
        /// The ioctl, or what it was for.
        call: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// More memory than the host's KVM can address.
    #[error("machine-config.mem_size_mib: {0}")]
    Memory(#[from] IpaError),
    /// More vCPUs than the host's interrupt controller knows.
    #[error(
        "machine-config.vcpu_count: {asked}: expected 1 to {most}: this host's KVM has a {gic}"
    )]
    Vcpus {
        /// As the configuration file has it.
        asked: u32,
        /// The most it can have.
        most: u32,
        gic: Gic,
    },
    /// A register was refused.
    #[error("KVM: vCPU register {register} cannot be set to {value:#x} on this host")]
    Register { register: String, value: u64 },
}

impl KvmError {
    /// For `map_err`: names the call that failed.
    pub fn call<E: Into<io::Error>>(call: &'static str) -> impl FnOnce(E) -> KvmError {
        move |error| KvmError::Call { call, error: error.into() }
    }
}
