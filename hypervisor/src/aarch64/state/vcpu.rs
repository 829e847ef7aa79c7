//! A vCPU's state: every register that KVM lists, timers and PSCI's among them.

use kvm_bindings::{
    KVM_ARM_VCPU_SVE, KVM_REG_ARM64, KVM_REG_ARM64_SVE, KVM_REG_SIZE_MASK, KVM_REG_SIZE_SHIFT,
    KVM_REG_SIZE_U512, RegList, kvm_mp_state, kvm_vcpu_init,
};
use kvm_ioctls::VcpuFd;
use serde::{Deserialize, Serialize};

use crate::kvm::KvmError;
use crate::native::registers::{MIDR_EL1, MPIDR_EL1};
use crate::native::vcpu::is_enabled;
use crate::snapshot::{Raw, RestoreError};

/// As long as the longest register is (`KVM_REG_SIZE_U2048`).
type Value = [u8; 256];

/// The state.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VcpuState {
    /// Whether it runs or is switched off.
    mp_state: u32,
    /// What it was made as (`struct kvm_vcpu_init`).
    target: u32,
    features: [u32; 7],
    /// By KVM's numbers (Documentation/virt/kvm/api.rst §4.68), in KVM's order.
    registers: Vec<(u64, Raw<Value>)>,
}

/// `KVM_REG_ARM64_SVE_VLS`: the lengths of vectors that a vCPU has, to be set before it is complete.
const SVE_VLS: u64 = KVM_REG_ARM64 | KVM_REG_ARM64_SVE as u64 | KVM_REG_SIZE_U512 | 0xFFFF;
/// As many as the bindings' list has room for (`ARM64_REGS_MAX`). A KVM that lists more says so, and nothing is saved.
const MOST_REGISTERS: usize = 500;
/// The affinity fields of MPIDR_EL1 (Arm DDI 0487 §D24.2.110): Aff3, and Aff2 to Aff0.
const AFFINITY: u64 = 0xFF_00FF_FFFF;

impl VcpuState {
    /// Of a vCPU that is held. Whether it runs comes first, as on x86_64.
    pub(super) fn save(vcpu: &VcpuFd, init: &kvm_vcpu_init) -> Result<VcpuState, KvmError> {
        let state = vcpu.get_mp_state().map_err(KvmError::call("KVM_GET_MP_STATE"))?;
        let too_many = |_| KvmError::call("KVM_GET_REG_LIST")(std::io::ErrorKind::InvalidInput);
        let mut list = RegList::new(MOST_REGISTERS).map_err(too_many)?;
        vcpu.get_reg_list(&mut list).map_err(KvmError::call("KVM_GET_REG_LIST"))?;
        let mut registers = Vec::with_capacity(list.as_slice().len());
        for &id in list.as_slice() {
            registers.push((id, Raw(get(vcpu, id)?)));
        }
        let kvm_vcpu_init { target, features } = *init;
        Ok(VcpuState { mp_state: state.mp_state, target, features, registers })
    }

    /// Where the interrupt controller's registers of this vCPU are.
    pub(super) fn affinity(&self) -> u64 {
        self.number(MPIDR_EL1).unwrap_or(0) & AFFINITY
    }

    fn number(&self, wanted: u64) -> Option<u64> {
        let (_, Raw(value)) = self.registers.iter().find(|(id, _)| *id == wanted)?;
        Some(u64::from_ne_bytes(*value.first_chunk()?))
    }

    /// Into a vCPU that has not run, and is not initialized yet.
    pub(super) fn restore(&self, vcpu: &VcpuFd) -> Result<(), RestoreError> {
        let init = kvm_vcpu_init { target: self.target, features: self.features };
        vcpu.vcpu_init(&init).map_err(KvmError::call("KVM_ARM_VCPU_INIT"))?;
        if is_enabled(&init, KVM_ARM_VCPU_SVE) {
            for (id, Raw(value)) in self.registers.iter().filter(|(id, _)| *id == SVE_VLS) {
                vcpu.set_one_reg(*id, value)
                    .map_err(KvmError::call("KVM_SET_ONE_REG of SVE_VLS"))?;
            }
            vcpu.vcpu_finalize(&(KVM_ARM_VCPU_SVE as i32))
                .map_err(KvmError::call("KVM_ARM_VCPU_FINALIZE of SVE"))?;
        }
        if let Some(saved) = self.number(MIDR_EL1) {
            let here = u64::from_ne_bytes(*get(vcpu, MIDR_EL1)?.first_chunk().unwrap_or(&[0; 8]));
            let text = |midr: u64| format!("{midr:#x}");
            RestoreError::unless_same("processor (MIDR_EL1)", text(saved), text(here))?;
        }
        for (id, Raw(value)) in self.registers.iter().filter(|(id, _)| *id != SVE_VLS) {
            // Some can't be written, even with the value that they have.
            if vcpu.set_one_reg(*id, value).is_err() && get(vcpu, *id)? != *value {
                let value = u64::from_ne_bytes(*value.first_chunk().unwrap_or(&[0; 8]));
                let register = format!("{id:#x}");
                return Err(KvmError::Register { register, value, index: 0 }.into());
            }
        }
        let state = kvm_mp_state { mp_state: self.mp_state };
        Ok(vcpu.set_mp_state(state).map_err(KvmError::call("KVM_SET_MP_STATE"))?)
    }
}

/// A register, with zeros behind it.
fn get(vcpu: &VcpuFd, id: u64) -> Result<Value, KvmError> {
    let mut value = [0; size_of::<Value>()];
    let length = 1usize << ((id & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT);
    if length > value.len() {
        return Err(KvmError::call("KVM_GET_ONE_REG")(std::io::ErrorKind::InvalidData));
    }
    vcpu.get_one_reg(id, &mut value).map_err(KvmError::call("KVM_GET_ONE_REG"))?;
    Ok(value)
}
