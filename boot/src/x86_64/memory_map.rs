//! The memory map that the kernel gets: PC firmware's "E820" map (ACPI 6.5 §15.1).

use arch::x86_64::layout;
use std::ops::Range;

/// What a range is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// Free for the kernel.
    Ram = 1,
    /// There is RAM, but not for the kernel to use freely: ACPI tables.
    Reserved = 2,
}

/// The map, by rising address. RAM has a hole below 1 MiB, where a PC has video memory and firmware
/// and this machine has its ACPI tables.
pub fn memory_map(ram: &[Range<u64>]) -> Vec<(Range<u64>, Kind)> {
    let hole = layout::BASE_RAM_END..layout::KERNEL;
    let mut map = Vec::new();
    for range in ram {
        let parts = [
            (range.start..range.end.min(hole.start), Kind::Ram),
            (range.start.max(hole.start)..range.end.min(hole.end), Kind::Reserved),
            (range.start.max(hole.end)..range.end, Kind::Ram),
        ];
        map.extend(parts.into_iter().filter(|(part, _)| !part.is_empty()));
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;
    use Kind::{Ram, Reserved};

    #[test]
    fn low_memory_has_a_hole() {
        assert_eq!(
            memory_map(&layout::ram_ranges(256 << 20)),
            [(0..0x9_FC00, Ram), (0x9_FC00..0x10_0000, Reserved), (0x10_0000..0x1000_0000, Ram)]
        );
    }

    #[test]
    fn ram_goes_on_above_4_gib() {
        let map = memory_map(&layout::ram_ranges(4 << 30));
        assert_eq!(map[2..], [(0x10_0000..0xC000_0000, Ram), (0x1_0000_0000..0x1_4000_0000, Ram)]);
    }
}
