//! Segment descriptors (Intel SDM 3A §3.4.5): what a segment register holds, and its eight or
//! sixteen bytes in the global descriptor table.

/// A segment register with its hidden part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Base address.
    pub base: u64,
    /// Limit in bytes, whatever the granularity.
    pub limit: u32,
    /// Index in the GDT, times eight.
    pub selector: u16,
    /// Type field: what the segment is, and how it may be used.
    pub kind: u8,
    /// Code or data (true), or a system segment such as a TSS (false).
    pub code_or_data: bool,
    /// 64-bit code.
    pub long: bool,
    /// 32-bit code, stack or data.
    pub db: bool,
    /// The limit counts pages.
    pub granularity: bool,
}

/// Type of a code segment: execute, read, accessed.
const CODE: u8 = 0xB;
/// Type of a data segment: read, write, accessed.
const DATA: u8 = 0x3;
/// Type of a busy 32-bit or 64-bit TSS. VT-x refuses to enter a guest whose TR is anything else.
const BUSY_TSS: u8 = 0xB;
/// Smallest limit of a TSS (Intel SDM 3A §8.2.2).
const TSS_LIMIT: u32 = 0x67;

const CODE_SELECTOR: u16 = 0x08;
const DATA_SELECTOR: u16 = 0x10;
const TSS_SELECTOR: u16 = 0x18;

impl Segment {
    /// Flat 64-bit code.
    pub const CODE64: Segment = Segment { long: true, db: false, ..Segment::CODE32 };

    /// Flat 32-bit code.
    pub const CODE32: Segment = Segment {
        base: 0,
        limit: u32::MAX,
        selector: CODE_SELECTOR,
        kind: CODE,
        code_or_data: true,
        long: false,
        db: true,
        granularity: true,
    };

    /// Flat data and stack.
    pub const DATA: Segment = Segment { selector: DATA_SELECTOR, kind: DATA, ..Segment::CODE32 };

    /// A task state segment at address 0. It is never used, but TR must hold one.
    pub const TSS: Segment = Segment {
        base: 0,
        limit: TSS_LIMIT,
        selector: TSS_SELECTOR,
        kind: BUSY_TSS,
        code_or_data: false,
        long: false,
        db: false,
        granularity: false,
    };

    /// The descriptor in the GDT; a 64-bit TSS takes a second one, that holds its base's upper half.
    fn descriptor(&self) -> u64 {
        let limit = if self.granularity { self.limit >> 12 } else { self.limit } as u64;
        let present = 1;
        let access = self.kind as u64 | (self.code_or_data as u64) << 4 | present << 7;
        let flags =
            (self.long as u64) << 1 | (self.db as u64) << 2 | (self.granularity as u64) << 3;
        (limit & 0xFFFF)
            | (self.base & 0xFF_FFFF) << 16
            | access << 40
            | (limit >> 16 & 0xF) << 48
            | flags << 52
            | (self.base >> 24 & 0xFF) << 56
    }
}

/// The table for flat segments with code segment `code`: null, code, data, and a TSS of two entries.
pub fn table(code: Segment) -> [u64; 5] {
    [
        0,
        code.descriptor(),
        Segment::DATA.descriptor(),
        Segment::TSS.descriptor(),
        Segment::TSS.base >> 32,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_the_well_known_ones() {
        // As in Linux's boot GDT (arch/x86/boot/compressed/head_64.S), with the accessed bit.
        let [null, code, data, tss, tss_high] = table(Segment::CODE64);
        assert_eq!((null, tss_high), (0, 0));
        assert_eq!(code, 0x00AF_9B00_0000_FFFF);
        assert_eq!(data, 0x00CF_9300_0000_FFFF);
        assert_eq!(tss, 0x0000_8B00_0000_0067);
        assert_eq!(table(Segment::CODE32)[1], 0x00CF_9B00_0000_FFFF);
    }
}
