//! Where a vCPU stands, for a report on one that KVM gave up on.

use devices::GuestMemory;
use kvm_ioctls::VcpuFd;
use vm_memory::{Bytes, GuestAddress};

use super::registers::{self, PC, SCTLR_EL1};

/// `SCTLR_EL1`: the MMU is on.
const SCTLR_M: u64 = 1 << 0;

/// `at pc 0x…, bytes 20 7c c1 a8`: where the vCPU is, as far as that can be found out. KVM translates
/// no addresses here, so the instruction is shown only while the guest's MMU is off.
pub fn place(vcpu: &VcpuFd, memory: &GuestMemory) -> String {
    let (Ok(pc), Ok(control)) = (registers::get(vcpu, PC), registers::get(vcpu, SCTLR_EL1)) else {
        return "at an unknown place: its registers can't be read".to_owned();
    };
    if control & SCTLR_M != 0 {
        return format!("at pc {pc:#x}");
    }
    match memory.read_obj::<[u8; 4]>(GuestAddress(pc)) {
        Ok([a, b, c, d]) => format!("at pc {pc:#x}, bytes {a:02x} {b:02x} {c:02x} {d:02x}"),
        Err(_) => format!("at pc {pc:#x}, which is not in RAM"),
    }
}
