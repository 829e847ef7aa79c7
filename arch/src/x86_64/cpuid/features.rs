//! Feature bits and clock rates.

use super::{CpuidEntry, Vendor, highest, replace};

/// Leaf 1, ECX.
const MONITOR: u32 = 1 << 3;
const VMX: u32 = 1 << 5;
/// Performance monitoring capabilities register.
const PDCM: u32 = 1 << 15;
/// The local APIC's timer can fire at a TSC value. KVM's can on every host, and the guest need not
/// calibrate that timer then.
const TSC_DEADLINE: u32 = 1 << 24;
const HYPERVISOR: u32 = 1 << 31;

/// Leaf 6, EAX: the local APIC's timer never stops.
const ARAT: u32 = 1 << 2;
/// Leaf 7, EBX.
const SGX: u32 = 1 << 2;
const PROCESSOR_TRACE: u32 = 1 << 25;
/// Leaf 7, ECX.
const SGX_LAUNCH_CONTROL: u32 = 1 << 30;
/// Leaf 0x8000_0001, ECX.
const SVM: u32 = 1 << 2;
const PERFCTR_CORE: u32 = 1 << 23;

/// The time stamp counter and the crystal that it is derived from (Intel SDM 2A CPUID).
const TSC_LEAF: u32 = 0x15;
const KVM_BASE: u32 = 0x4000_0000;
/// Rates of the time stamp counter and of the local APIC's bus, both in kHz: VMware's leaf
/// (lwn.net/Articles/301888), which other hypervisors and guests adopted.
const CLOCKS_LEAF: u32 = 0x4000_0010;
/// The local APIC's timer in KVM counts nanoseconds (`APIC_BUS_CYCLE_NS`).
const APIC_BUS_KHZ: u32 = 1_000_000;

/// What the machine has, and what it has not.
pub fn set(entries: &mut Vec<CpuidEntry>, vendor: Vendor, tsc_khz: Option<u32>) {
    entries.retain(|entry| !absent(entry.function));
    for entry in entries.iter_mut() {
        match (entry.function, entry.index) {
            (0x1, _) => {
                entry.ecx &= !(MONITOR | VMX | PDCM);
                entry.ecx |= TSC_DEADLINE | HYPERVISOR;
            }
            // Thermal and power management.
            (0x6, _) => *entry = CpuidEntry { eax: ARAT, ..blank(entry) },
            (0x7, 0) => {
                entry.ebx &= !(SGX | PROCESSOR_TRACE);
                entry.ecx &= !SGX_LAUNCH_CONTROL;
            }
            (0x8000_0001, _) => entry.ecx &= !(SVM | PERFCTR_CORE),
            _ => {}
        }
    }
    if let Some(khz) = tsc_khz {
        set_clocks(entries, vendor, khz);
    }
}

/// Leaves of what this machine does not have; without an entry a leaf reads as zeros.
fn absent(function: u32) -> bool {
    // MWAIT, performance counters, SGX, processor trace, SVM, AMD's performance counters.
    matches!(function, 0x5 | 0xA | 0x12 | 0x14 | 0x8000_000A | 0x8000_0022)
}

fn blank(entry: &CpuidEntry) -> CpuidEntry {
    let CpuidEntry { function, index, flags, .. } = *entry;
    CpuidEntry { function, index, flags, ..Default::default() }
}

/// Tells the clocks' rates, for guests without kvmclock. Linux under KVM takes the rate from kvmclock
/// and reads neither leaf.
fn set_clocks(entries: &mut Vec<CpuidEntry>, vendor: Vendor, tsc_khz: u32) {
    if vendor == Vendor::Intel && highest(entries, 0) >= TSC_LEAF {
        // TSC rate = crystal (ECX, in Hz) × EBX / EAX. The crystal drives the local APIC's timer too,
        // so it has to be the rate of that.
        let leaf = CpuidEntry {
            function: TSC_LEAF,
            eax: APIC_BUS_KHZ,
            ebx: tsc_khz,
            ecx: APIC_BUS_KHZ * 1000,
            ..Default::default()
        };
        replace(entries, TSC_LEAF, &[leaf]);
    }
    let Some(base) = entries.iter_mut().find(|entry| entry.function == KVM_BASE) else { return };
    base.eax = base.eax.max(CLOCKS_LEAF);
    let leaf =
        CpuidEntry { function: CLOCKS_LEAF, eax: tsc_khz, ebx: APIC_BUS_KHZ, ..Default::default() };
    replace(entries, CLOCKS_LEAF, &[leaf]);
}
