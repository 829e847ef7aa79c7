//! The processor, as CPUID describes it.

use super::cpu::{cpuid, read_msr};
use crate::kernel::report::{Fault, Line, put};

const EFER: u32 = 0xc000_0080;
const EFER_LONG_MODE_ACTIVE: u64 = 1 << 10;
/// CPUID 0x8000_0001 EDX.
const LONG_MODE: u32 = 1 << 29;
/// CPUID 1 ECX: running on a hypervisor.
const HYPERVISOR: u32 = 1 << 31;
/// First leaf of the hypervisor's own.
const HYPERVISOR_LEAF: u32 = 0x4000_0000;

/// In long mode, by a processor that has it, on a hypervisor that says so.
pub fn check(line: &mut Line) -> Result<(), Fault> {
    let [max_leaf, b, c, d] = cpuid(0);
    put_text(line, &[b, d, c]);
    let [signature, _, features, _] = cpuid(1);
    put!(line, " signature {signature:#x}, {max_leaf} leaves, hypervisor ");
    if read_msr(EFER) & EFER_LONG_MODE_ACTIVE == 0 || cpuid(0x8000_0001)[3] & LONG_MODE == 0 {
        return Err("not in long mode");
    }
    if features & HYPERVISOR == 0 {
        return Err("the hypervisor bit is not set");
    }
    let [max_leaf, b, c, d] = cpuid(HYPERVISOR_LEAF);
    put_text(line, &[b, c, d]);
    if max_leaf < HYPERVISOR_LEAF { Err("there is no hypervisor leaf") } else { Ok(()) }
}

/// Text that CPUID gives in registers.
fn put_text(line: &mut Line, registers: &[u32; 3]) {
    for byte in registers.iter().flat_map(|register| register.to_le_bytes()) {
        if byte.is_ascii_graphic() {
            put!(line, "{}", char::from(byte));
        }
    }
}
