//! The tables as a kernel walks them, and as Intel's disassembler sees them.

use super::*;
use crate::x86_64::layout::{MAX_CPUS, VIRTIO_SLOTS, virtio_slot};
use std::process::Command;

fn largest() -> Vec<(u64, Vec<u8>)> {
    let slots: Vec<_> = (0..VIRTIO_SLOTS).map(|n| virtio_slot(n).unwrap()).collect();
    tables(MAX_CPUS, &slots)
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap())
}

/// The table at an address, its length and checksum checked.
fn table(tables: &[(u64, Vec<u8>)], address: u64) -> &[u8] {
    let (_, bytes) = tables.iter().find(|(at, _)| *at == address).expect("a table there");
    assert_eq!(u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize, bytes.len());
    assert_eq!(sum(bytes), 0);
    bytes
}

#[test]
fn a_kernel_finds_every_table_from_the_rsdp() {
    let tables = largest();
    let (address, rsdp) = &tables[0];
    assert_eq!((*address, &rsdp[..8]), (0xE_0000, &b"RSD PTR "[..]));
    assert_eq!((sum(&rsdp[..20]), sum(rsdp)), (0, 0));
    let xsdt = table(&tables, u64_at(rsdp, 24));
    assert_eq!((&xsdt[..4], xsdt.len()), (&b"XSDT"[..], 36 + 2 * 8));
    let fadt = table(&tables, u64_at(xsdt, 36));
    assert_eq!((&fadt[..4], fadt.len(), fadt[8]), (&b"FACP"[..], 276, 6));
    let madt = table(&tables, u64_at(xsdt, 44));
    assert_eq!((&madt[..4], madt.len()), (&b"APIC"[..], 44 + 12 + 32 * 8));
    // X_DSDT.
    assert_eq!(table(&tables, u64_at(fadt, 140))[..4], *b"DSDT");
}

#[test]
fn tables_stay_in_their_place() {
    let mut ranges: Vec<_> =
        largest().iter().map(|(at, bytes)| *at..*at + bytes.len() as u64).collect();
    ranges.sort_by_key(|range| range.start);
    assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start));
    assert!(ranges.iter().all(|range| range.end <= layout::ACPI_END));
}

#[test]
fn the_fadt_says_how_to_reset_and_power_off() {
    let tables = tables(1, &[]);
    let fadt = &tables.iter().find(|(_, bytes)| bytes.starts_with(b"FACP")).unwrap().1;
    let flags = u32::from_le_bytes(fadt[112..116].try_into().unwrap());
    assert_eq!(flags & (1 << 20 | 1 << 10), 1 << 20 | 1 << 10);
    // Generic address: system I/O, 8 bits, no offset, byte access.
    assert_eq!(fadt[116..120], [1, 8, 0, 1]);
    assert_eq!((u64_at(fadt, 120), fadt[128]), (0x602, 1));
    assert_eq!((u64_at(fadt, 248), u64_at(fadt, 260)), (0x600, 0x601));
    // No 8042 to probe; the CMOS clock is there.
    assert_eq!(fadt[109] & (1 << 1 | 1 << 5), 0);
}

/// Disassembles every table by `iasl`, from package acpica-tools; says nothing where it is missing.
fn disassemble(tables: &[(u64, Vec<u8>)]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for (_, bytes) in &tables[1..] {
        let name = String::from_utf8(bytes[..4].to_vec()).unwrap();
        std::fs::write(folder.path().join(&name), bytes).unwrap();
        let output =
            Command::new("iasl").arg("-d").arg(&name).current_dir(folder.path()).output().ok()?;
        let log = [output.stdout, output.stderr].concat();
        let log = String::from_utf8_lossy(&log);
        assert!(output.status.success(), "{log}");
        assert!(!log.contains("Warning") && !log.contains("Error"), "{log}");
        let source = std::fs::read_to_string(folder.path().join(name + ".dsl")).unwrap();
        assert!(!source.contains("Invalid") && !source.contains("Unknown"), "{source}");
        text += &source;
    }
    Some(text)
}

#[test]
fn iasl_reads_every_table_without_a_warning() {
    let Some(text) = disassemble(&largest()) else {
        println!("SKIPPED: iasl_reads_every_table_without_a_warning: iasl is not installed");
        return;
    };
    for part in ["_S5", "PNP0501", "PNP0B00", "LNRO0005", "0xC000F000", "0x00000015", "V00F"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}
