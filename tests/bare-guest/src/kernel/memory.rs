//! The check of the RAM that the machine says it has.

use super::machine::paging;
use super::report::{Fault, Line, put};

unsafe extern "C" {
    /// The bounds of this program in memory (linker script).
    #[link_name = "image_start"]
    static IMAGE_START: u8;
    #[link_name = "image_end"]
    static IMAGE_END: u8;
}

/// Where this program is in memory, and where it ends.
pub fn image() -> (u64, u64) {
    (&raw const IMAGE_START as u64, &raw const IMAGE_END as u64)
}

/// What was seen of a memory map, range by range.
#[derive(Default)]
pub struct MemoryMap {
    ranges: u32,
    total: u64,
    end: u64,
    holds_image: bool,
}

impl MemoryMap {
    /// Takes in the next range, whatever it is, and gives its end: it is not empty, and above the one before.
    pub fn range(&mut self, start: u64, size: u64) -> Result<u64, Fault> {
        let end = start.checked_add(size).ok_or("a memory range wraps")?;
        if size == 0 || start < self.end {
            return Err("memory ranges are empty, overlap or are not sorted");
        }
        self.ranges += 1;
        self.end = end;
        Ok(end)
    }

    /// Takes in the next range, of RAM, whose last whole word keeps what is written.
    pub fn ram(&mut self, start: u64, size: u64, line: &mut Line) -> Result<(), Fault> {
        let end = self.range(start, size)?;
        self.total += size;
        let image = image();
        self.holds_image |= start <= image.0 && image.1 <= end;
        // On a PC there may be tables of the VMM below 1 MiB.
        if end > 1 << 20 && !holds_a_word((end & !7) - 8) {
            put!(line, "RAM up to {end:#x}");
            return Err("the end of RAM does not keep what is written");
        }
        Ok(())
    }

    /// The sums; and this program is in RAM.
    pub fn end(&self, line: &mut Line) -> Result<(), Fault> {
        let Self { ranges, total, end, holds_image } = self;
        put!(line, "{} KiB of RAM in {ranges} ranges, up to {end:#x}", total >> 10);
        if *holds_image { Ok(()) } else { Err("this program is not in RAM") }
    }
}

/// Writes a word of RAM at an aligned physical address, reads it back, and restores what was there.
fn holds_a_word(address: u64) -> bool {
    let Some(word) = paging::reach(address) else { return false };
    let pattern = 0x5aa5_1234_8bad_f00d ^ address;
    // SAFETY: the address is aligned, mapped, and RAM outside this program's image by the memory map and the caller.
    unsafe {
        let before = word.read_volatile();
        word.write_volatile(pattern);
        let good = word.read_volatile() == pattern;
        word.write_volatile(before);
        good
    }
}
