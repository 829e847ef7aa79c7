//! What KVM keeps of a machine, in a snapshot: registers by KVM's numbers for them, which are a promise of the kernel's. What
//! is in them KVM checks when it takes them.

mod gic;
mod host;
mod vcpu;

use devices::fixed::pl011::Pl011State;
use devices::fixed::pl031::Pl031State;
use kvm_bindings::kvm_vcpu_init;
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use serde::{Deserialize, Serialize};

use super::InterruptController;
use super::vcpu::like_host;
use crate::kvm::KvmError;
use crate::snapshot::RestoreError;

pub use gic::GicState as VmState;
pub use host::Host;
pub use vcpu::VcpuState;

/// The fixed devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedState {
    /// The console.
    pub uart: Pl011State,
    /// The clock.
    pub clock: Pl031State,
    /// There are no others.
    pub others: (),
}

/// What has to be known to save a machine.
pub struct Saver {
    /// What it runs on.
    pub host: Host,
    /// How its vCPUs were made.
    init: kvm_vcpu_init,
}

impl Saver {
    /// Asks for it.
    pub fn new(_: &Kvm, vm: &VmFd, controller: &InterruptController) -> Result<Saver, KvmError> {
        Ok(Saver { host: Host::new(vm, controller.gic), init: like_host(vm)? })
    }

    /// The state of a vCPU that is held.
    pub fn vcpu(&self, vcpu: &VcpuFd) -> Result<VcpuState, KvmError> {
        VcpuState::save(vcpu, &self.init)
    }

    /// The state of the interrupt controller, whose parts belong to these vCPUs.
    pub fn vm(
        &self,
        _: &VmFd,
        controller: &InterruptController,
        vcpus: &[VcpuState],
    ) -> Result<VmState, KvmError> {
        VmState::save(controller, &affinities(vcpus))
    }
}

/// Puts a machine that has not run into a state.
pub fn restore(
    _: &VmFd,
    vcpus: &[VcpuFd],
    controller: &InterruptController,
    state: (&VmState, &[VcpuState]),
) -> Result<(), RestoreError> {
    let (gic, states) = state;
    for (vcpu, state) in vcpus.iter().zip(states) {
        state.restore(vcpu)?;
    }
    // Behind the vCPUs: its registers are found by their affinities.
    gic.restore(controller, &affinities(states))
}

fn affinities(vcpus: &[VcpuState]) -> Vec<u64> {
    vcpus.iter().map(VcpuState::affinity).collect()
}

/// The others as they begin.
#[cfg(test)]
pub fn others_after_power_on() {}

/// The part of a machine of one vCPU that is nearly all zeros.
#[cfg(test)]
pub fn sample() -> serde_json::Value {
    let vcpu = serde_json::json!({
        "mp_state": 0, "target": 5, "features": [4, 0, 0, 0, 0, 0, 0], "registers": [[6, "01"], [7, ""]]
    });
    let part = serde_json::json!({ "private": [1, 2], "interface": [3] });
    serde_json::json!({
        "host": { "architecture": "aarch64", "gic": "GICv3", "kvm": [["KVM_CAP_ARM_PSCI_0_2", 1]] },
        "memory": 1 << 20,
        "vm": { "distributor": [1], "vcpus": [part] },
        "vcpus": [vcpu],
    })
}
