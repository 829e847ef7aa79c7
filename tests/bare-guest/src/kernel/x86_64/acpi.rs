//! The ACPI tables, from the root pointer on (ACPI 6.5 §5.2).

use super::paging::read;
use crate::kernel::report::{Fault, Line, put};

/// No table of ours is longer.
const MAX_TABLE: u32 = 1 << 20;
/// Length of the header that every table has; also where the entries of the XSDT begin.
const HEADER_LEN: u64 = 36;
/// FADT: the field X_DSDT.
const FADT_X_DSDT: u64 = 140;
/// MADT: where the structures begin.
const MADT_STRUCTURES: u64 = 44;
/// MADT structures: local APIC and local x2APIC, with the places of their flags.
const LOCAL_APIC: (u8, u64) = (0, 4);
const LOCAL_X2APIC: (u8, u64) = (9, 8);

/// Walks from the RSDP to every table, checks the sums, and counts processors.
pub fn check(line: &mut Line, rsdp: u64) -> Result<(), Fault> {
    if read(rsdp) != Some(*b"RSD PTR ") {
        return Err("no RSDP");
    }
    if read(rsdp + 15).is_none_or(|revision: u8| revision < 2) {
        return Err("an RSDP without XSDT");
    }
    if sum(rsdp, 20) != Some(0) || sum(rsdp, 36) != Some(0) {
        return Err("wrong checksum of the RSDP");
    }
    let xsdt = read(rsdp + 24).unwrap_or(0);
    let len = table(xsdt, b"XSDT")?;
    let (mut processors, mut dsdt) = (0, None);
    for offset in (HEADER_LEN..len.saturating_sub(7)).step_by(8) {
        let address = read(xsdt + offset).unwrap_or(0);
        let signature: [u8; 4] = read(address).unwrap_or_default();
        let len = table(address, &signature)?;
        put!(line, "{} ", core::str::from_utf8(&signature).unwrap_or("????"));
        match &signature {
            b"FACP" => dsdt = read(address + FADT_X_DSDT),
            b"APIC" => processors = count_processors(address, len),
            _ => {}
        }
    }
    let len = table(dsdt.ok_or("no FADT")?, b"DSDT")?;
    put!(line, "DSDT of {len} bytes, {processors} processors");
    if processors == 0 { Err("the MADT has no processors") } else { Ok(()) }
}

/// Length of a table whose signature and checksum are right.
fn table(address: u64, signature: &[u8; 4]) -> Result<u64, Fault> {
    if read(address) != Some(*signature) {
        return Err("a table is not where it should be");
    }
    let len: u32 = read(address + 4).unwrap_or(0);
    if u64::from(len) < HEADER_LEN || len > MAX_TABLE {
        return Err("a table has an impossible length");
    }
    if sum(address, len.into()) != Some(0) {
        return Err("wrong checksum of a table");
    }
    Ok(len.into())
}

/// Sum of all bytes, eight at a time: in each of four lanes of a word the sum of two bytes' columns.
fn sum(address: u64, len: u64) -> Option<u8> {
    const LANES: u64 = 0x00ff_00ff_00ff_00ff;
    let mut lanes = 0u64;
    for offset in (0..len & !7).step_by(8) {
        let word: u64 = read(address + offset)?;
        lanes = (lanes + (word & LANES) + (word >> 8 & LANES)) & LANES;
    }
    let mut sum = lanes.to_le_bytes().into_iter().fold(0, u8::wrapping_add);
    for offset in len & !7..len {
        sum = sum.wrapping_add(read(address + offset)?);
    }
    Some(sum)
}

/// Enabled processors of a MADT.
fn count_processors(madt: u64, len: u64) -> u32 {
    let mut count = 0;
    let mut at = MADT_STRUCTURES;
    while at + 2 <= len {
        let [kind, size]: [u8; 2] = read(madt + at).unwrap_or_default();
        for (processor, flags) in [LOCAL_APIC, LOCAL_X2APIC] {
            if kind == processor {
                count += u32::from(read::<u8>(madt + at + flags).unwrap_or(0) & 1);
            }
        }
        at += u64::from(size.max(2));
    }
    count
}
