//! A VM as KVM makes it for this machine.

use arch::aarch64::gic::Gic;
use arch::aarch64::ipa;
use arch::aarch64::regs::CpuStart;
use devices::GuestMemory;
use kvm_bindings::{KVM_CAP_ARM_NISV_TO_USER, kvm_enable_cap};
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use vm_memory::{GuestMemoryBackend, GuestMemoryRegion};

use super::{gic, vcpu};
use crate::kvm::{KvmError, create_vm};

/// A VM whose physical addresses reach to the end of this memory, and without any yet.
pub fn create(kvm: &Kvm, memory: &GuestMemory) -> Result<VmFd, KvmError> {
    let ram = memory.iter().map(|region| region.len()).sum();
    // The machine type of an aarch64 VM is the width of its addresses.
    let bits = ipa::bits(ram, kvm.get_host_ipa_limit() as u32)?;
    let vm = create_vm(kvm, bits.into())?;
    // A load or store of a device's register that the processor does not describe then comes to us
    // with its address. A KVM that can't do that (Linux before 5.5) makes KVM_RUN fail instead.
    let nisv = kvm_enable_cap { cap: KVM_CAP_ARM_NISV_TO_USER, ..Default::default() };
    let _ = vm.enable_cap(&nisv);
    Ok(vm)
}

/// The vCPUs, between the two halves of the interrupt controller: it says how many there can be, and
/// takes no more once it is complete. Without it there is no irqfd.
pub fn processors(
    _kvm: &Kvm,
    vm: &VmFd,
    count: u32,
    start: &CpuStart,
) -> Result<(Vec<VcpuFd>, Gic), KvmError> {
    let (gic, device) = gic::create(vm)?;
    if count > gic.max_cpus() {
        return Err(KvmError::Vcpus { asked: count, most: gic.max_cpus(), gic });
    }
    let vcpus = vcpu::create(vm, count, start)?;
    gic::complete(gic, &device)?;
    Ok((vcpus, gic))
}
