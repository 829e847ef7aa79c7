//! Where a vCPU stands, for a report on one that KVM gave up on.

use std::fmt::Write;

use devices::GuestMemory;
use kvm_ioctls::VcpuFd;
use vm_memory::{Bytes, GuestAddress};

/// As many as the longest x86 instruction has (Intel SDM 2A §2.3.11).
const INSTRUCTION_BYTES: u64 = 15;

/// `at rip 0x…, bytes 0f c7 0f …`: where the vCPU is, as far as that can be found out.
pub fn place(vcpu: &VcpuFd, memory: &GuestMemory) -> String {
    let Ok(registers) = vcpu.get_regs() else {
        return "at an unknown place: its registers can't be read".to_owned();
    };
    // Without paging this is RIP itself, with the code segment's base, which is 0.
    let physical = vcpu.translate_gva(registers.rip).ok().filter(|page| page.valid != 0);
    let mut text = format!("at rip {:#x}, bytes", registers.rip);
    let Some(physical) = physical else { return text + " unmapped" };
    for offset in 0..INSTRUCTION_BYTES {
        let address = GuestAddress(physical.physical_address.saturating_add(offset));
        match memory.read_obj::<u8>(address) {
            // Writing to a String does not fail.
            Ok(byte) => _ = write!(text, " {byte:02x}"),
            Err(_) => break,
        }
    }
    text
}
