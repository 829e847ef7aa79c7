//! A VM as KVM makes it for this machine.

use arch::x86_64::layout;
use arch::x86_64::regs::CpuStart;
use devices::GuestMemory;
use kvm_ioctls::{Kvm, VcpuFd, VmFd};

use super::vcpu;
use crate::kvm::{KvmError, create_vm};

/// A VM of no special type, whatever its memory, and without any yet.
///
/// On Intel hosts KVM takes some addresses for itself. It must know them before the first vCPU, and
/// best before the memory slots, of which they are hidden ones.
pub fn create(kvm: &Kvm, _memory: &GuestMemory) -> Result<VmFd, KvmError> {
    let vm = create_vm(kvm, 0)?;
    vm.set_identity_map_address(layout::KVM_IDENTITY_MAP)
        .map_err(KvmError::call("KVM_SET_IDENTITY_MAP_ADDR"))?;
    vm.set_tss_address(layout::KVM_TSS as usize).map_err(KvmError::call("KVM_SET_TSS_ADDR"))?;
    Ok(vm)
}

/// Which interrupt controller the machine has: always an IOAPIC and a local APIC for each vCPU.
#[derive(Clone, Copy)]
pub struct InterruptController;

/// The interrupt controller, then the vCPUs: the other order is not possible.
pub fn processors(
    kvm: &Kvm,
    vm: &VmFd,
    count: u32,
    start: &CpuStart,
) -> Result<(Vec<VcpuFd>, InterruptController), KvmError> {
    vm.create_irq_chip().map_err(KvmError::call("KVM_CREATE_IRQCHIP"))?;
    Ok((vcpu::create(kvm, vm, count, start)?, InterruptController))
}
