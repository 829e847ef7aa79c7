//! The leaves as Linux 6.12 decodes them (arch/x86/kernel/cpu/topology_{common,ext,amd}.c).

use super::*;
use proptest::prelude::*;

const INTEL: [u32; 3] = [0x756E_6547, 0x6C65_746E, 0x4965_6E69];
const AMD: [u32; 3] = [0x6874_7541, 0x444D_4163, 0x6974_6E65];

fn leaf(function: u32, eax: u32, ebx: u32, ecx: u32, edx: u32) -> CpuidEntry {
    CpuidEntry { function, eax, ebx, ecx, edx, ..Default::default() }
}

fn subleaf(function: u32, index: u32, eax: u32) -> CpuidEntry {
    CpuidEntry { function, index, flags: SIGNIFICANT_INDEX, eax, ..Default::default() }
}

/// What a host of many threads supports: every field that matters is wrong for the guest.
fn host([b, c, d]: [u32; 3]) -> Vec<CpuidEntry> {
    let cache = |kind: u32, level: u32| 0xFFFF_C000 | level << 5 | kind;
    let mut entries = vec![
        leaf(0x0, 0x20, b, c, d),
        leaf(0x1, 0x806F8, 0x7740_0800, u32::MAX, u32::MAX),
        leaf(0x5, 64, 64, 3, 0x20),
        leaf(0x6, 0x77, 2, 9, 0),
        CpuidEntry { ebx: u32::MAX, ecx: u32::MAX, ..subleaf(0x7, 0, 2) },
        leaf(0xA, 0x0730_0404, 0, 0, 0x603),
        subleaf(0xB, 0, 1),
        subleaf(0xB, 1, 7),
        subleaf(0xB, 2, 0),
        subleaf(0x1F, 0, 1),
        leaf(0x4000_0000, 0x4000_0001, 0x4B4D_564B, 0x564B_4D56, 0x4D),
        leaf(0x4000_0001, 0x0100_7EFB, 0, 0, 0),
        leaf(0x8000_0000, 0x8000_0026, b, c, d),
        leaf(0x8000_0001, 0, 0, u32::MAX, u32::MAX),
        leaf(0x8000_0002, 0x2064_6F47, 0x7270_6F43, 0, 0),
        leaf(0x8000_0008, 0x3930, 0, 0x707F, 0),
        leaf(0x8000_000A, 1, 8, 0, 1),
        leaf(0x8000_001E, 0x77, 0x0133, 0x0301, 0),
        subleaf(0x8000_0026, 0, 1),
    ];
    for (index, (kind, level)) in [(1, 1), (2, 1), (3, 2), (3, 3), (0, 0)].into_iter().enumerate() {
        let eax = if kind == 0 { 0 } else { cache(kind, level) };
        entries.push(subleaf(0x4, index as u32, eax));
        entries.push(subleaf(0x8000_001D, index as u32, eax));
    }
    entries
}

fn guest(vendor: [u32; 3], vcpu: u32, cpus: u32) -> Vec<CpuidEntry> {
    let mut entries = host(vendor);
    filter(&mut entries, vcpu, cpus, Some(2_100_000));
    entries
}

/// The CPUID instruction on these entries: zeros where there is none.
fn cpuid(entries: &[CpuidEntry], function: u32, index: u32) -> CpuidEntry {
    let mut found = entries.iter().filter(|entry| {
        entry.function == function && (entry.flags & SIGNIFICANT_INDEX == 0 || entry.index == index)
    });
    let entry = found.next().copied().unwrap_or_default();
    assert_eq!(found.next(), None, "leaf {function:#x}.{index} is there twice");
    entry
}

/// What a kernel makes of it: APIC ID, bits of it below a core, below a package, and cores.
#[derive(Debug, PartialEq)]
struct Topology {
    apic_id: u32,
    thread_bits: u32,
    package_bits: u32,
    cpus: u32,
}

/// `count_order`: the bits that `count` IDs take.
fn bits(count: u32) -> u32 {
    count.next_power_of_two().trailing_zeros()
}

/// `parse_topology_leaf`.
fn extended(entries: &[CpuidEntry], function: u32) -> Topology {
    let mut topology = Topology { apic_id: 0, thread_bits: 0, package_bits: 0, cpus: 1 };
    for index in 0.. {
        let level = cpuid(entries, function, index);
        let kind = level.ecx >> 8 & 0xFF;
        if kind == 0 || level.ebx & 0xFFFF == 0 {
            assert!(index >= 2, "both levels are there");
            break;
        }
        assert_eq!((level.ecx & 0xFF, kind), (index, index + 1));
        topology.apic_id = level.edx;
        topology.package_bits = level.eax & 0x1F;
        topology.cpus = level.ebx & 0xFFFF;
        if kind == 1 {
            topology.thread_bits = level.eax & 0x1F;
            assert_eq!(topology.cpus, 1);
        }
    }
    topology
}

/// `parse_legacy`: leaf 1, and leaf 4 for the cores. Knows the number of CPUs only as a power of two.
fn legacy(entries: &[CpuidEntry]) -> Topology {
    let basic = cpuid(entries, 1, 0);
    let cores = 1 + (cpuid(entries, 4, 0).eax >> 26);
    let logical = if basic.edx & 1 << 28 != 0 { basic.ebx >> 16 & 0xFF } else { 1 };
    Topology {
        apic_id: basic.ebx >> 24,
        thread_bits: bits(logical) - bits(cores),
        package_bits: bits(logical),
        cpus: logical,
    }
}

/// `parse_8000_0008` and `parse_8000_001e`.
fn amd(entries: &[CpuidEntry]) -> Topology {
    let sizes = cpuid(entries, 0x8000_0008, 0).ecx;
    let node = cpuid(entries, 0x8000_001E, 0);
    let cpus = (sizes & 0xFF) + 1;
    let size = sizes >> 12 & 0xF;
    assert_eq!(node.ecx, 0, "one node");
    Topology {
        apic_id: node.eax,
        thread_bits: bits((node.ebx >> 8 & 0xFF) + 1),
        package_bits: if size == 0 { bits(cpus) } else { size },
        cpus,
    }
}

#[test]
fn every_leaf_tells_the_same_topology() {
    for cpus in 1..=32 {
        for vcpu in 0..cpus {
            let right = Topology { apic_id: vcpu, thread_bits: 0, package_bits: bits(cpus), cpus };
            for vendor in [INTEL, AMD] {
                let entries = guest(vendor, vcpu, cpus);
                assert_eq!(extended(&entries, 0xB), right);
                assert_eq!(extended(&entries, 0x1F), right);
                let rounded = Topology { cpus: 1 << bits(cpus), ..right };
                assert_eq!(legacy(&entries), Topology { apic_id: vcpu, ..rounded });
            }
            assert_eq!(amd(&guest(AMD, vcpu, cpus)), right);
        }
    }
}

#[test]
fn caches_are_shared_from_the_third_level_on() {
    let shared = |vendor, function, index| {
        1 + (cpuid(&guest(vendor, 1, 6), function, index).eax >> 14 & 0xFFF)
    };
    assert_eq!([0, 1, 2, 3].map(|index| shared(INTEL, 4, index)), [1, 1, 1, 8]);
    assert_eq!([0, 1, 2, 3].map(|index| shared(AMD, 0x8000_001D, index)), [1, 1, 1, 6]);
    assert_eq!(cpuid(&guest(INTEL, 1, 6), 4, 4).eax, 0);
}

#[test]
fn what_the_machine_has_not_is_not_seen() {
    for vendor in [INTEL, AMD] {
        let entries = guest(vendor, 0, 1);
        let features = cpuid(&entries, 1, 0);
        assert_eq!(features.ecx & (1 << 3 | 1 << 5 | 1 << 15), 0);
        assert_eq!(features.edx & 1 << 28, 0);
        assert_eq!(cpuid(&entries, 7, 0).ebx & (1 << 2 | 1 << 25), 0);
        assert_eq!(cpuid(&entries, 0x8000_0001, 0).ecx & 1 << 2, 0);
        for function in [0x5, 0xA, 0x12, 0x14, 0x8000_000A, 0x8000_0026] {
            assert_eq!(cpuid(&entries, function, 0), CpuidEntry::default());
        }
        assert_eq!(cpuid(&entries, 6, 0).eax, 4);
    }
}

#[test]
fn what_a_guest_needs_is_there() {
    let entries = guest(AMD, 0, 2);
    let features = cpuid(&entries, 1, 0);
    assert_eq!(features.ecx >> 31, 1);
    // TSC deadline, x2APIC.
    assert_eq!(features.ecx & (1 << 24 | 1 << 21), 1 << 24 | 1 << 21);
    // CLFLUSH line size, and the rest of what was there.
    assert_eq!(features.ebx & 0xFFFF, 0x0800);
    assert_eq!(cpuid(&entries, 0x4000_0001, 0).eax, 0x0100_7EFB);
    assert_eq!(cpuid(&entries, 0x8000_0002, 0).eax, 0x2064_6F47);
    assert_eq!(cpuid(&entries, 0x8000_0008, 0).eax, 0x3930);
}

#[test]
fn clock_rates_are_told_where_known() {
    let entries = guest(INTEL, 0, 1);
    let tsc = cpuid(&entries, 0x15, 0);
    assert_eq!(u64::from(tsc.ecx) * u64::from(tsc.ebx) / u64::from(tsc.eax), 2_100_000_000);
    assert_eq!(cpuid(&entries, 0x4000_0000, 0).eax, 0x4000_0010);
    let clocks = cpuid(&entries, 0x4000_0010, 0);
    assert_eq!((clocks.eax, clocks.ebx), (2_100_000, 1_000_000));
    assert_eq!(cpuid(&guest(AMD, 0, 1), 0x15, 0).ebx, 0);

    let mut unknown = host(INTEL);
    filter(&mut unknown, 0, 1, None);
    assert_eq!(cpuid(&unknown, 0x4000_0000, 0).eax, 0x4000_0001);
    assert_eq!(cpuid(&unknown, 0x15, 0).ebx, 0);
}

#[test]
fn an_old_host_gets_no_leaf_past_its_last() {
    let mut entries = vec![leaf(0, 4, INTEL[0], INTEL[1], INTEL[2]), leaf(1, 0, 0, 0, 0)];
    filter(&mut entries, 3, 4, Some(1_000_000));
    assert_eq!(entries.iter().map(|entry| entry.function).max(), Some(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever the host supports, no panic, no leaf twice, and filtering again changes nothing.
    #[test]
    fn any_host_will_do(
        registers in prop::collection::vec(any::<[u32; 4]>(), 24),
        cpus in 1u32..=32,
        vcpu in 0u32..32,
        vendor in prop::sample::select(vec![INTEL, AMD, [0, 0, 0]]),
    ) {
        let vcpu = vcpu % cpus;
        let mut entries = host(vendor);
        for (entry, [eax, ebx, ecx, edx]) in entries.iter_mut().skip(1).zip(registers) {
            *entry = CpuidEntry { eax, ebx, ecx, edx, ..*entry };
        }
        filter(&mut entries, vcpu, cpus, Some(2_000_000));
        let once = entries.clone();
        for entry in &once {
            cpuid(&once, entry.function, entry.index);
        }
        prop_assert_eq!(cpuid(&once, 1, 0).ebx >> 24, vcpu);
        prop_assert_eq!(extended(&once, 0xB).cpus, cpus);
        filter(&mut entries, vcpu, cpus, Some(2_000_000));
        let sorted = |mut entries: Vec<CpuidEntry>| {
            entries.sort_by_key(|entry| (entry.function, entry.index));
            entries
        };
        prop_assert_eq!(sorted(entries), sorted(once));
    }
}
