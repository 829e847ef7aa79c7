//! Kernels that are ELF files, and that no machine can boot.

/// Where segments begin in the file.
const DATA: u64 = 0x1000;

/// A 64-bit executable (System V ABI, "ELF Header" and "Program Header").
pub struct Elf {
    /// `e_machine`: 62 is x86_64.
    pub machine: u16,
    /// Where it is entered.
    pub entry: u64,
    /// What is to be loaded.
    pub segments: Vec<Segment>,
}

/// A segment to load, of zeros.
#[derive(Clone, Copy)]
pub struct Segment {
    /// Where it goes in physical memory.
    pub address: u64,
    /// How much of it the file holds.
    pub file_len: u64,
    /// How long it is in memory.
    pub mem_len: u64,
}

impl Elf {
    /// A page at 1 MiB for x86_64: nothing is wrong with it yet.
    pub fn new() -> Elf {
        let segment = Segment { address: 0x10_0000, file_len: 0x1000, mem_len: 0x1000 };
        Elf { machine: 62, entry: segment.address, segments: vec![segment] }
    }

    /// Another page at `address`.
    pub fn and_page_at(mut self, address: u64) -> Elf {
        self.segments.push(Segment { address, file_len: 0x1000, mem_len: 0x1000 });
        self
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec(); // 64-bit, little-endian, version 1
        file.resize(16, 0);
        let half = |number: u16, file: &mut Vec<u8>| file.extend(number.to_le_bytes());
        half(2, &mut file); // executable
        half(self.machine, &mut file);
        file.extend(1u32.to_le_bytes()); // version
        for number in [self.entry, 64, 0] {
            file.extend(number.to_le_bytes()); // entry, program headers, no section headers
        }
        file.extend(0u32.to_le_bytes()); // flags
        for number in [64, 56, self.segments.len() as u16, 0, 0, 0] {
            half(number, &mut file); // sizes and counts of headers
        }
        let mut offset = DATA;
        for Segment { address, file_len, mem_len } in &self.segments {
            file.extend([1u32, 7].map(u32::to_le_bytes).concat()); // loadable; read, write, execute
            for number in [offset, *address, *address, *file_len, *mem_len, 0x1000] {
                file.extend(number.to_le_bytes());
            }
            offset += file_len;
        }
        file.resize(offset as usize, 0);
        file
    }
}

impl Default for Elf {
    fn default() -> Elf {
        Elf::new()
    }
}
