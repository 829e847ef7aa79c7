//! A VM as KVM makes it for this machine.

use arch::x86_64::layout;
use arch::x86_64::regs::CpuStart;
use devices::GuestMemory;
use kvm_bindings::{KVM_CAP_X86_NOTIFY_VMEXIT, KVM_X86_NOTIFY_VMEXIT_ENABLED, kvm_enable_cap};
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
    // A guest whose processor gets stuck where no interrupt reaches it does not take the host's with it: KVM comes back
    // and enters it anew, or, if it can't, stops the vCPU (Documentation/virt/kvm/api.rst §7.34; QEMU's default too).
    // Only some processors can tell; with others the call fails.
    let notify = kvm_enable_cap {
        cap: KVM_CAP_X86_NOTIFY_VMEXIT,
        args: [KVM_X86_NOTIFY_VMEXIT_ENABLED.into(), 0, 0, 0],
        ..Default::default()
    };
    let _ = vm.enable_cap(&notify);
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
