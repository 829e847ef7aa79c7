//! What the VMM tells a PVH guest: `struct hvm_start_info` (Xen public/arch-x86/hvm/start_info.h).

use super::physical::{holds_a_word, read};
use super::report::{Fault, Line, put};

const MAGIC: u32 = 0x336e_c578;
const RAM: u32 = 1;
const MEMORY_MAP_ENTRY_LEN: u64 = 24;
/// More entries than any machine has.
const MAX_ENTRIES: u32 = 64;
/// Linux's COMMAND_LINE_SIZE is half of it.
const MAX_COMMAND_LINE: u64 = 4096;

unsafe extern "C" {
    /// The bounds of this program in memory (linker script).
    #[link_name = "image_start"]
    static IMAGE_START: u8;
    #[link_name = "image_end"]
    static IMAGE_END: u8;
}

/// Address of the ACPI root pointer.
pub fn rsdp(start_info: u64) -> u64 {
    read(start_info + 32).unwrap_or(0)
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
    let len = (0..MAX_COMMAND_LINE).find(|i| read::<u8>(cmdline + i) == Some(0));
    let len = len.ok_or("the command line does not end")?;
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
    let image = (&raw const IMAGE_START as u64, &raw const IMAGE_END as u64);
    let (mut last_end, mut total, mut image_in_ram) = (0, 0u64, false);
    for i in 0..u64::from(entries) {
        let entry = map + i * MEMORY_MAP_ENTRY_LEN;
        let unreadable = "the memory map is not in mapped memory";
        let start: u64 = read(entry).ok_or(unreadable)?;
        let size: u64 = read(entry + 8).ok_or(unreadable)?;
        let end = start.checked_add(size).ok_or("a memory range wraps")?;
        if size == 0 || start < last_end {
            return Err("memory ranges are empty, overlap or are not sorted");
        }
        last_end = end;
        if read::<u32>(entry + 16) != Some(RAM) {
            continue;
        }
        total += size;
        image_in_ram |= start <= image.0 && image.1 <= end;
        // The last whole word of the range; below 1 MiB the tables of the VMM may be in the way.
        if end > 1 << 20 && !holds_a_word((end & !7) - 8) {
            put!(line, "RAM up to {end:#x}");
            return Err("the end of RAM does not keep what is written");
        }
    }
    put!(line, "{} KiB of RAM in {entries} ranges, up to {last_end:#x}", total >> 10);
    if image_in_ram { Ok(()) } else { Err("this program is not in RAM") }
}
