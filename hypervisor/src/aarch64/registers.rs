//! A vCPU's registers by the names that KVM has for them (Linux Documentation/virt/kvm/api.rst
//! §4.68, `KVM_SET_ONE_REG`).

use std::mem::offset_of;

use kvm_bindings::{
    KVM_REG_ARM_CORE, KVM_REG_ARM64, KVM_REG_ARM64_SYSREG, KVM_REG_SIZE_U64, kvm_regs,
};
use kvm_ioctls::{Error, VcpuFd};

/// First general register.
pub const X0: u64 = core(offset_of!(kvm_regs, regs.regs));
/// Program counter.
pub const PC: u64 = core(offset_of!(kvm_regs, regs.pc));
/// Processor state.
pub const PSTATE: u64 = core(offset_of!(kvm_regs, regs.pstate));
/// System control register of EL1 (Arm DDI 0487 §D19.2.118).
pub const SCTLR_EL1: u64 = system(3, 0, 1, 0, 0);

/// The register at this offset of `struct kvm_regs`, counted in words of 32 bits.
const fn core(offset: usize) -> u64 {
    KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE as u64 | (offset / size_of::<u32>()) as u64
}

/// The register that `mrs` knows by these numbers.
const fn system(op0: u64, op1: u64, crn: u64, crm: u64, op2: u64) -> u64 {
    let number = op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2;
    KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM64_SYSREG as u64 | number
}

/// Reads a register.
pub fn get(vcpu: &VcpuFd, register: u64) -> Result<u64, Error> {
    let mut bytes = [0; 8];
    vcpu.get_one_reg(register, &mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Writes a register.
pub fn set(vcpu: &VcpuFd, register: u64, value: u64) -> Result<(), Error> {
    vcpu.set_one_reg(register, &value.to_ne_bytes())?;
    Ok(())
}
