//! A way around an error of the emulator, which made programs of an emulated aarch64 host crash now and then.
//!
//! The kernel clears a page with `DC ZVA`, 64 bytes at a time, of which QEMU 7.2 reports one byte as written
//! (`probe_access` in accel/tcg/cputlb.c; mended in later releases, found in CTSRD-CHERI/qemu#241). So translations of
//! code that was in the page before stay valid. The file server then fills the page behind QEMU's back, and a
//! program that is mapped where an earlier one was runs that one's code.
//!
//! Kernels ask `DCZID_EL0` whether they may use the instruction. Here they are told no, and clear pages, which
//! `init_on_alloc` has them do before any use, with plain stores.

use crate::arch::Arch;

/// `MRS Xt, DCZID_EL0` without t (Arm ARM, C6.2.249 and D23.2.35).
const READ_DCZID: u32 = 0xd53b_00e0;
/// `MOV Xt, #16` without t: bit 4, DZP, prohibits the instruction.
const PROHIBITED: u32 = 0xd280_0200;
const REGISTER: u32 = 0x1f;

/// The kernel as the emulator gets it.
pub fn without_zva(arch: Arch, mut image: Vec<u8>) -> Vec<u8> {
    if arch == Arch::Aarch64 {
        let (instructions, _) = image.as_chunks_mut();
        for instruction in instructions {
            let word = u32::from_le_bytes(*instruction);
            if word & !REGISTER == READ_DCZID {
                *instruction = (PROHIBITED | word & REGISTER).to_le_bytes();
            }
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_for_the_instruction_is_answered_no_and_nothing_else_changes() {
        // mrs x1, dczid_el0; tbnz w1, #4, .+0x24; mrs x19, dczid_el0; mrs x1, ctr_el0; and half an instruction
        let words: [u32; 4] = [0xd53b_00e1, 0x3720_0121, 0xd53b_00f3, 0xd53b_0021];
        // mov x1, #16 and mov x19, #16
        let expected: [u32; 4] = [0xd280_0201, 0x3720_0121, 0xd280_0213, 0xd53b_0021];
        let bytes =
            |words: [u32; 4]| [words.map(u32::to_le_bytes).concat(), vec![0xe1, 0]].concat();
        assert_eq!(without_zva(Arch::Aarch64, bytes(words)), bytes(expected));
        assert_eq!(without_zva(Arch::X86_64, bytes(words)), bytes(words));
    }
}
