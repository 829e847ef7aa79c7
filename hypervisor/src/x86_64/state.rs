//! What KVM keeps of a machine, in a snapshot. The structures are KVM's own: their layout is a promise of the kernel's, and
//! what is in them KVM checks when it takes them.
//!
//! The order of what is asked and set is not free; each function says why.

mod host;
mod vcpu;
mod vm;

use devices::fixed::acpi_power::AcpiPowerState;
use devices::fixed::i8042::I8042State;
use devices::fixed::rtc::RtcState;
use devices::fixed::serial::SerialState;
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use serde::{Deserialize, Serialize};

use super::InterruptController;
use crate::kvm::KvmError;
use crate::snapshot::RestoreError;

pub use host::Host;
pub use vcpu::VcpuState;
pub use vm::VmState;

/// The fixed devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedState {
    /// The console.
    pub uart: SerialState,
    /// The clock.
    pub clock: RtcState,
    /// The others.
    pub others: OthersState,
}

/// The keyboard controller and the power registers.
pub type OthersState = (I8042State, AcpiPowerState);

/// What has to be known to save a machine, asked while it is made: a VM that runs asks for no more than its state.
pub struct Saver {
    /// What it runs on.
    pub host: Host,
    /// The registers to ask for.
    msrs: Vec<u32>,
}

impl Saver {
    /// Asks for it.
    pub fn new(kvm: &Kvm, vm: &VmFd, _: &InterruptController) -> Result<Saver, KvmError> {
        Ok(Saver { host: Host::new(vm), msrs: vcpu::saved_msrs(kvm)? })
    }

    /// The state of a vCPU that is held.
    pub fn vcpu(&self, vcpu: &VcpuFd) -> Result<VcpuState, KvmError> {
        VcpuState::save(vcpu, &self.msrs)
    }

    /// The state of the rest, once the vCPUs are saved: to ask for theirs may raise an interrupt that is due.
    pub fn vm(
        &self,
        vm: &VmFd,
        _: &InterruptController,
        _: &[VcpuState],
    ) -> Result<VmState, KvmError> {
        VmState::save(vm)
    }
}

/// Puts a machine that has not run into a state.
pub fn restore(
    vm: &VmFd,
    vcpus: &[VcpuFd],
    _: &InterruptController,
    state: (&VmState, &[VcpuState]),
) -> Result<(), RestoreError> {
    let (vm_state, vcpu_states) = state;
    for (vcpu, state) in vcpus.iter().zip(vcpu_states) {
        state.restore(vcpu)?;
    }
    Ok(vm_state.restore(vm)?)
}

/// The others as they begin.
#[cfg(test)]
pub fn others_after_power_on() -> OthersState {
    use devices::Device;
    use devices::fixed::{acpi_power::AcpiPower, i8042::I8042};
    (I8042::new().save(), AcpiPower::new().save())
}

/// The part of a machine of one vCPU that is all zeros.
#[cfg(test)]
pub fn sample() -> serde_json::Value {
    let vcpu = serde_json::json!({
        "mp_state": 0, "regs": "", "sregs": "", "xsave": "", "xcrs": "", "debug_registers": "", "lapic": "",
        "tsc_khz": null, "cpuid": [[1, 0, 0, 2, 3, 4, 5]], "msrs": [[16, 7], [0x6e0, 0]], "events": "0100"
    });
    serde_json::json!({
        "host": {
            "architecture": "x86_64", "vendor": "GenuineIntel", "model": 6, "features": [1, 2],
            "kvm": [["KVM_CAP_XSAVE", 1]]
        },
        "memory": 1 << 20,
        "vm": { "clock": 5, "irqchips": ["", "01", "02"] },
        "vcpus": [vcpu],
    })
}
