//! A way around an error of the emulator, which made programs of an emulated aarch64 host crash now and then.
//!
//! The kernel clears a page with `DC ZVA`, 64 bytes at a time, of which QEMU 7.2 reports one byte as written
//! (`probe_access` in accel/tcg/cputlb.c; mended in later releases, found in CTSRD-CHERI/qemu#241). So translations of
//! code that was in the page before stay valid. The file server then fills the page behind QEMU's back, and a
//! program that is mapped where an earlier one was runs that one's code.
//!
//! Kernels ask `DCZID_EL0` whether they may use the instruction. Here they are told no, and clear pages, which
//! `init_on_alloc` has them do before any use, with plain stores.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::arch::Arch;
use crate::error::{Doing, Error};

/// `MRS Xt, DCZID_EL0` without t (Arm ARM, "DCZID_EL0").
const READ_DCZID: u32 = 0xd53b_00e0;
/// `MOV Xt, #16` without t: bit 4, DZP, prohibits the instruction.
const PROHIBITED: u32 = 0xd280_0200;
const REGISTER: u32 = 0x1f;

/// The kernel at `path` as the emulator gets it. One for x86_64, which has no such instruction, is not even read here.
pub fn kernel(arch: Arch, path: &Path) -> Result<File, Error> {
    let read = || format!("read {}", path.display());
    if arch == Arch::X86_64 {
        return File::open(path).doing(read);
    }
    let image = without_zva(fs::read(path).doing(read)?);
    let doing = || "keep the emulated host's kernel".to_owned();
    let mut file = memfd_create("kernel", MemfdFlags::CLOEXEC).map(File::from).doing(doing)?;
    file.write_all(&image).doing(doing)?;
    Ok(file)
}

fn without_zva(mut image: Vec<u8>) -> Vec<u8> {
    let (instructions, _) = image.as_chunks_mut();
    for instruction in instructions {
        let word = u32::from_le_bytes(*instruction);
        if word & !REGISTER == READ_DCZID {
            *instruction = (PROHIBITED | word & REGISTER).to_le_bytes();
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn every_question_for_the_instruction_is_answered_no_and_nothing_else_changes() {
        // mrs x1, dczid_el0; tbnz w1, #4, .+0x24; mrs x19, dczid_el0; mrs x1, ctr_el0; and half an instruction
        let words: [u32; 4] = [0xd53b_00e1, 0x3720_0121, 0xd53b_00f3, 0xd53b_0021];
        // mov x1, #16 and mov x19, #16
        let expected: [u32; 4] = [0xd280_0201, 0x3720_0121, 0xd280_0213, 0xd53b_0021];
        let bytes =
            |words: [u32; 4]| [words.map(u32::to_le_bytes).concat(), vec![0xe1, 0]].concat();
        let original = tempfile::NamedTempFile::new().unwrap();
        fs::write(original.path(), bytes(words)).unwrap();
        let given = |arch| {
            let file = kernel(arch, original.path()).unwrap();
            // By name, as the emulator reads it.
            fs::read(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap()
        };
        assert_eq!(given(Arch::Aarch64), bytes(expected));
        assert_eq!(given(Arch::X86_64), bytes(words));
    }
}
