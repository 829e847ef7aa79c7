//! What a VM keeps beside its vCPUs: kvmclock, and the interrupt controllers that all vCPUs share. There is no PIT.

use kvm_bindings::{
    KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, kvm_clock_data, kvm_irqchip,
};
use kvm_ioctls::VmFd;
use serde::{Deserialize, Serialize};

use crate::kvm::KvmError;
use crate::snapshot::Raw;

/// The state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VmState {
    /// Nanoseconds of kvmclock, which a snapshot stops.
    clock: u64,
    /// Both 8259s and the I/O APIC.
    irqchips: [Raw<kvm_irqchip>; 3],
}

const IRQCHIPS: [u32; 3] = [KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE, KVM_IRQCHIP_IOAPIC];

impl VmState {
    pub(super) fn save(vm: &VmFd) -> Result<VmState, KvmError> {
        let clock = vm.get_clock().map_err(KvmError::call("KVM_GET_CLOCK"))?.clock;
        let irqchip = |chip_id| {
            let mut irqchip = kvm_irqchip { chip_id, ..Default::default() };
            vm.get_irqchip(&mut irqchip).map_err(KvmError::call("KVM_GET_IRQCHIP"))?;
            Ok::<_, KvmError>(Raw(irqchip))
        };
        let [master, slave, ioapic] = IRQCHIPS;
        Ok(VmState { clock, irqchips: [irqchip(master)?, irqchip(slave)?, irqchip(ioapic)?] })
    }

    /// After the vCPUs: a level that is still up goes to a local APIC as the I/O APIC is set.
    pub(super) fn restore(&self, vm: &VmFd) -> Result<(), KvmError> {
        // Without flags: the guest's clock goes on where it stood.
        let clock = kvm_clock_data { clock: self.clock, ..Default::default() };
        vm.set_clock(&clock).map_err(KvmError::call("KVM_SET_CLOCK"))?;
        for (Raw(irqchip), chip_id) in self.irqchips.iter().zip(IRQCHIPS) {
            let irqchip = kvm_irqchip { chip_id, ..*irqchip };
            vm.set_irqchip(&irqchip).map_err(KvmError::call("KVM_SET_IRQCHIP"))?;
        }
        Ok(())
    }
}
