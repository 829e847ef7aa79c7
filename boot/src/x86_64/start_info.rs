//! The start info of PVH: `struct hvm_start_info` version 1 (Xen public/arch-x86/hvm/start_info.h).

use super::Parameters;
use super::memory_map::memory_map;
use arch::x86_64::layout::{CMDLINE, START_INFO};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{Immutable, IntoBytes};

/// "xEn3" with the 0x80 bit of the "E" set.
const MAGIC: u32 = 0x336E_C578;
/// The first version with a memory map.
const VERSION: u32 = 1;

/// `struct hvm_start_info`.
#[derive(Default, Immutable, IntoBytes)]
#[repr(C)]
struct StartInfo {
    magic: U32,
    version: U32,
    flags: U32,
    modules: U32,
    module_list: U64,
    cmdline: U64,
    rsdp: U64,
    memory_map: U64,
    memory_map_entries: U32,
    reserved: U32,
}

/// `struct hvm_modlist_entry`: the initramfs is the only module.
#[derive(Default, Immutable, IntoBytes)]
#[repr(C)]
struct Module {
    address: U64,
    size: U64,
    cmdline: U64,
    reserved: U64,
}

/// `struct hvm_memmap_table_entry`; the types are those of E820.
#[derive(Default, Immutable, IntoBytes)]
#[repr(C)]
struct MemoryRange {
    address: U64,
    size: U64,
    kind: U32,
    reserved: U32,
}

/// The start info, its module and memory map right behind it, and the command line as guest memory.
pub fn start_info(parameters: &Parameters) -> Vec<(u64, Vec<u8>)> {
    let module_list = START_INFO + size_of::<StartInfo>() as u64;
    let memory_map_address = module_list + size_of::<Module>() as u64;
    let map = memory_map(parameters.ram);
    let mut info = StartInfo {
        magic: MAGIC.into(),
        version: VERSION.into(),
        cmdline: CMDLINE.into(),
        rsdp: parameters.rsdp.into(),
        memory_map: memory_map_address.into(),
        memory_map_entries: (map.len() as u32).into(),
        ..Default::default()
    };
    let mut module = Module::default();
    if let Some(initrd) = parameters.initrd {
        info.modules = 1.into();
        info.module_list = module_list.into();
        module.address = initrd.gpa.into();
        module.size = initrd.len.into();
    }
    let mut bytes = [info.as_bytes(), module.as_bytes()].concat();
    for (range, kind) in map {
        let entry = MemoryRange {
            address: range.start.into(),
            size: (range.end - range.start).into(),
            kind: (kind as u32).into(),
            ..Default::default()
        };
        bytes.extend_from_slice(entry.as_bytes());
    }
    vec![(START_INFO, bytes), (CMDLINE, parameters.cmdline.to_bytes())]
}

#[cfg(test)]
mod tests {
    use super::super::Initrd;
    use super::*;
    use crate::cmdline::Cmdline;
    use arch::x86_64::layout;

    fn words(bytes: &[u8]) -> Vec<u64> {
        bytes.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect()
    }

    #[test]
    fn a_kernel_finds_what_it_needs() {
        let cmdline = Cmdline::new("quiet").unwrap();
        let mut parameters = Parameters {
            ram: &layout::ram_ranges(256 << 20),
            cmdline: &cmdline,
            initrd: Some(Initrd { gpa: 0xFF0_0000, len: 0x1_2345 }),
            rsdp: layout::ACPI,
        };
        let memory = start_info(&parameters);
        assert_eq!(memory[0].0, 0x6000);
        assert_eq!(memory[1], (0x2_0000, b"quiet\0".to_vec()));
        let info = words(&memory[0].1);
        assert_eq!(info[..2], [1 << 32 | 0x336E_C578, 1 << 32]);
        assert_eq!(info[2..7], [0x6000 + 56, 0x2_0000, 0xE_0000, 0x6000 + 56 + 32, 3]);
        assert_eq!(info[7..11], [0xFF0_0000, 0x1_2345, 0, 0]);
        assert_eq!(info[11..14], [0, 0x9_FC00, 1]);
        assert_eq!(info[14..17], [0x9_FC00, 0x10_0000 - 0x9_FC00, 2]);
        assert_eq!(info[17..], [0x10_0000, 255 << 20, 1]);

        parameters.initrd = None;
        let info = words(&start_info(&parameters)[0].1);
        assert_eq!((info[1], info[2]), (0, 0));
    }
}
