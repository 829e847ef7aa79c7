//! vCPUs as alike to the host's processors as KVM makes them, and the first one's way in.

use arch::aarch64::regs::CpuStart;
use kvm_bindings::{
    KVM_ARM_VCPU_POWER_OFF, KVM_ARM_VCPU_PSCI_0_2, KVM_ARM_VCPU_PTRAUTH_ADDRESS,
    KVM_ARM_VCPU_PTRAUTH_GENERIC, KVM_ARM_VCPU_SVE, kvm_vcpu_init,
};
use kvm_ioctls::{Cap, VcpuFd, VmFd};

use super::registers::{self, PC, PSTATE, X0};
use crate::kvm::{KvmError, create_vcpu};

/// Makes all vCPUs: the first starts at `start`, the others are off until it switches them on.
pub fn create(vm: &VmFd, count: u32, start: &CpuStart) -> Result<Vec<VcpuFd>, KvmError> {
    let like_host = like_host(vm)?;
    (0..count)
        .map(|index| {
            let vcpu = create_vcpu(vm, index)?;
            let mut init = like_host;
            if index > 0 {
                enable(&mut init, KVM_ARM_VCPU_POWER_OFF);
            }
            vcpu.vcpu_init(&init).map_err(KvmError::call("KVM_ARM_VCPU_INIT"))?;
            if is_enabled(&init, KVM_ARM_VCPU_SVE) {
                vcpu.vcpu_finalize(&(KVM_ARM_VCPU_SVE as i32))
                    .map_err(KvmError::call("KVM_ARM_VCPU_FINALIZE of SVE"))?;
            }
            if index == 0 {
                set_registers(&vcpu, start)?;
            }
            Ok(vcpu)
        })
        .collect()
}

/// The host's kind of processor, with what a guest has only if it is asked for.
fn like_host(vm: &VmFd) -> Result<kvm_vcpu_init, KvmError> {
    let mut init = kvm_vcpu_init::default();
    vm.get_preferred_target(&mut init).map_err(KvmError::call("KVM_ARM_PREFERRED_TARGET"))?;
    enable(&mut init, KVM_ARM_VCPU_PSCI_0_2);
    if vm.check_extension(Cap::ArmSve) {
        enable(&mut init, KVM_ARM_VCPU_SVE);
    }
    // KVM takes both kinds of pointer authentication or none.
    if vm.check_extension(Cap::ArmPtrAuthAddress) && vm.check_extension(Cap::ArmPtrAuthGeneric) {
        enable(&mut init, KVM_ARM_VCPU_PTRAUTH_ADDRESS);
        enable(&mut init, KVM_ARM_VCPU_PTRAUTH_GENERIC);
    }
    Ok(init)
}

fn enable(init: &mut kvm_vcpu_init, feature: u32) {
    init.features[0] |= 1 << feature;
}

fn is_enabled(init: &kvm_vcpu_init, feature: u32) -> bool {
    init.features[0] & 1 << feature != 0
}

fn set_registers(vcpu: &VcpuFd, start: &CpuStart) -> Result<(), KvmError> {
    for (register, value) in [(PC, start.pc), (X0, start.x0), (PSTATE, start.pstate)] {
        registers::set(vcpu, register, value).map_err(KvmError::call("KVM_SET_ONE_REG"))?;
    }
    Ok(())
}
