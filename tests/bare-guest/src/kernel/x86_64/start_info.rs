//! What the VMM tells a PVH guest: `struct hvm_start_info` (Xen public/arch-x86/hvm/start_info.h).

use super::paging::{self, read};
use crate::kernel::memory::MemoryMap;
use crate::kernel::report::{Fault, Line, put};

const MAGIC: u32 = 0x336e_c578;
const RAM: u32 = 1;
const MEMORY_MAP_ENTRY_LEN: u64 = 24;
/// More entries than any machine has.
const MAX_ENTRIES: u32 = 64;
/// Linux's COMMAND_LINE_SIZE is half of it.
const MAX_COMMAND_LINE: u64 = 4096;

/// Address of the ACPI root pointer.
pub fn rsdp(start_info: u64) -> u64 {
    read(start_info + 32).unwrap_or(0)
}

/// The command line, which is empty if it has no end.
pub fn command_line(start_info: u64) -> &'static [u8] {
    let address: u64 = read(start_info + 24).unwrap_or(0);
    length(address).and_then(|len| paging::bytes(address, len)).unwrap_or_default()
}

/// Bytes of the command line.
fn length(address: u64) -> Option<u64> {
    (0..MAX_COMMAND_LINE).find(|i| read::<u8>(address + i) == Some(0))
}

/// Header, and a command line that ends.
pub fn check(line: &mut Line, start_info: u64) -> Result<(), Fault> {
    let word = |offset| read::<u32>(start_info + offset).unwrap_or(0);
    put!(line, "version {}, {} modules", word(4), word(12));
    if word(0) != MAGIC {
        return Err("wrong magic");
    }
    if word(4) == 0 {
        return Err("version 0 has no memory map");
    }
    let cmdline: u64 = read(start_info + 24).unwrap_or(0);
    let len = length(cmdline).ok_or("the command line does not end")?;
    put!(line, ", command line of {len} bytes");
    Ok(())
}

/// The map is sorted, this program is in RAM, and each range of RAM is there up to its last word.
pub fn check_memory(line: &mut Line, start_info: u64) -> Result<(), Fault> {
    let map: u64 = read(start_info + 40).unwrap_or(0);
    let entries: u32 = read(start_info + 48).unwrap_or(0);
    if entries == 0 || entries > MAX_ENTRIES {
        return Err("there is no memory map, or one without end");
    }
    let mut memory = MemoryMap::default();
    for i in 0..u64::from(entries) {
        let entry = map + i * MEMORY_MAP_ENTRY_LEN;
        let unreadable = "the memory map is not in mapped memory";
        let start: u64 = read(entry).ok_or(unreadable)?;
        let size: u64 = read(entry + 8).ok_or(unreadable)?;
        match read::<u32>(entry + 16) {
            Some(RAM) => memory.ram(start, size, line)?,
            _ => memory.range(start, size).map(drop)?,
        }
    }
    memory.end(line)
}
