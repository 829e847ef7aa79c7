//! Which vCPU this is, and how they are arranged: one package, N cores, one thread a core.
//!
//! Every generation of CPUs added a way to say so, and a kernel takes the newest that it knows. So
//! each leaf that the host has must tell the same.

use super::{CpuidEntry, SIGNIFICANT_INDEX, Vendor, highest, replace};

/// Leaf 1, EDX: more than one logical CPU in the package.
const HTT: u32 = 1 << 28;
/// Leaf 0x8000_0001, ECX: those logical CPUs are cores, not threads.
const CMP_LEGACY: u32 = 1 << 1;
/// Level types of leaves 0xB and 0x1F.
const THREAD: u32 = 1;
const CORE: u32 = 2;

/// Sets every leaf that tells of topology.
pub fn set(entries: &mut Vec<CpuidEntry>, vendor: Vendor, vcpu: u32, cpus: u32) {
    // APIC IDs in the package, as a power of two and as its exponent.
    let ids = cpus.next_power_of_two();
    let id_bits = ids.trailing_zeros();
    for entry in entries.iter_mut() {
        match (entry.function, vendor) {
            // Intel SDM 2A CPUID: initial APIC ID, addressable IDs in the package.
            (0x1, _) => {
                entry.ebx = set_bits(entry.ebx, 24, 8, vcpu);
                entry.ebx = set_bits(entry.ebx, 16, 8, ids);
                entry.edx = if cpus > 1 { entry.edx | HTT } else { entry.edx & !HTT };
            }
            (0x4, _) if cache_level(entry) > 0 => {
                entry.eax = set_bits(entry.eax, 26, 6, ids - 1);
                entry.eax = set_bits(entry.eax, 14, 12, sharing(entry, ids) - 1);
            }
            (0x8000_0001, Vendor::Amd) => {
                entry.ecx = if cpus > 1 { entry.ecx | CMP_LEGACY } else { entry.ecx & !CMP_LEGACY };
            }
            // AMD APM 3 §E.4.7: bits of APIC ID, and number of cores less one.
            (0x8000_0008, Vendor::Amd) => {
                entry.ecx = set_bits(entry.ecx, 12, 4, id_bits);
                entry.ecx = set_bits(entry.ecx, 0, 8, cpus - 1);
            }
            // AMD APM 3 §E.4.15: as leaf 4, but only the sharing.
            (0x8000_001D, Vendor::Amd) if cache_level(entry) > 0 => {
                entry.eax = set_bits(entry.eax, 14, 12, sharing(entry, cpus) - 1);
            }
            // AMD APM 3 §E.4.16: APIC ID; core, and threads in it less one; node 0, the only one.
            (0x8000_001E, Vendor::Amd) => {
                (entry.eax, entry.ebx, entry.ecx, entry.edx) = (vcpu, vcpu, 0, 0);
            }
            _ => {}
        }
    }
    for function in [0xB, 0x1F] {
        let present = function <= highest(entries, 0);
        let levels = [(THREAD, 0, 1), (CORE, id_bits, cpus)];
        let subleaves = (0..).zip(levels).map(|(index, (kind, shift, count))| CpuidEntry {
            function,
            index,
            flags: SIGNIFICANT_INDEX,
            eax: shift,
            ebx: count,
            ecx: kind << 8 | index,
            edx: vcpu,
        });
        let subleaves: Vec<_> = subleaves.filter(|_| present).collect();
        replace(entries, function, &subleaves);
    }
    // Says the same as leaf 0xB, in more levels; without it, AMD's kernels fall back to that.
    entries.retain(|entry| entry.function != 0x8000_0026);
}

/// Level of the cache that a subleaf of 4 or 0x8000_001D describes; 0 past the last.
fn cache_level(entry: &CpuidEntry) -> u32 {
    if entry.eax & 0x1F == 0 { 0 } else { entry.eax >> 5 & 7 }
}

/// CPUs that share it: the first two levels are a core's own.
fn sharing(entry: &CpuidEntry, all: u32) -> u32 {
    if cache_level(entry) >= 3 { all } else { 1 }
}

fn set_bits(register: u32, shift: u32, width: u32, value: u32) -> u32 {
    let mask = ((1 << width) - 1) << shift;
    (register & !mask) | (value << shift & mask)
}
