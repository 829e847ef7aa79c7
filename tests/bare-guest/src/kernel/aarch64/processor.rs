//! The processor, as its identification registers describe it (Arm ARM D24.2).

use core::arch::asm;

use super::cpu::read_system;
use crate::kernel::report::{Fault, Line, put};

/// SCTLR_EL1: instruction cache, data cache, MMU.
const CACHES_AND_MMU: u64 = 1 << 12 | 1 << 2 | 1;
/// ID_AA64PFR0_EL1.AdvSIMD: its place, and the value for "none".
const NEON_SHIFT: u32 = 20;
const NO_NEON: u64 = 0xf;
/// Bits of a physical address for each value of ID_AA64MMFR0_EL1.PARange.
const ADDRESS_BITS: [u32; 7] = [32, 36, 40, 42, 44, 48, 52];

/// At EL1, with MMU and caches as boot.s switched them on, by a processor with NEON.
pub fn check(line: &mut Line) -> Result<(), Fault> {
    let (midr, mpidr) = (read_system!("midr_el1"), read_system!("mpidr_el1"));
    let level = read_system!("CurrentEL") >> 2 & 3;
    put!(line, "MIDR {midr:#x}, MPIDR {mpidr:#x}, EL{level}");
    if level != 1 {
        return Err("not at EL1");
    }
    if read_system!("sctlr_el1") & CACHES_AND_MMU != CACHES_AND_MMU {
        return Err("MMU and caches are not on");
    }
    let range = (read_system!("id_aa64mmfr0_el1") & 0xf) as usize;
    let bits = ADDRESS_BITS.get(range).ok_or("an unknown range of physical addresses")?;
    put!(line, ", {bits}-bit addresses");
    if read_system!("id_aa64pfr0_el1") >> NEON_SHIFT & 0xf == NO_NEON {
        return Err("no NEON");
    }
    if neon_sum([1, 2], [40, 50]) != [41, 52] {
        return Err("NEON adds wrongly");
    }
    put!(line, ", NEON");
    Ok(())
}

/// Adds lane by lane.
fn neon_sum(a: [u64; 2], b: [u64; 2]) -> [u64; 2] {
    let (low, high);
    // SAFETY: it only changes the registers that it names.
    unsafe {
        asm!("fmov d0, {0}", "mov v0.d[1], {1}", "fmov d1, {2}", "mov v1.d[1], {3}", "add v0.2d, v0.2d, v1.2d",
            "fmov {4}, d0", "mov {5}, v0.d[1]",
            in(reg) a[0], in(reg) a[1], in(reg) b[0], in(reg) b[1], lateout(reg) low, lateout(reg) high,
            out("v0") _, out("v1") _, options(pure, nomem, nostack, preserves_flags))
    }
    [low, high]
}
