//! The zero page: `struct boot_params` of the Linux boot protocol
//! (Documentation/arch/x86/zero-page.rst and boot.rst).

use super::Parameters;
use super::memory_map::memory_map;
use arch::CMDLINE_MAX;
use arch::x86_64::layout::{CMDLINE, ZERO_PAGE};

const LEN: usize = 4096;

/// `acpi_rsdp_addr`.
const RSDP: usize = 0x070;
/// `ext_ramdisk_image`: the upper half of [`RAMDISK_IMAGE`].
const EXT_RAMDISK_IMAGE: usize = 0x0C0;
/// `ext_ramdisk_size`: the upper half of [`RAMDISK_SIZE`].
const EXT_RAMDISK_SIZE: usize = 0x0C4;
/// `e820_entries`.
const E820_ENTRIES: usize = 0x1E8;
/// `boot_flag`, [`BOOT_FLAG_VALUE`].
const BOOT_FLAG: usize = 0x1FE;
const BOOT_FLAG_VALUE: u16 = 0xAA55;
/// `header`: the magic "HdrS".
const HEADER: usize = 0x202;
/// `version` of the protocol.
const VERSION: usize = 0x206;
/// Protocol 2.12, the first with the 64-bit entry.
const VERSION_VALUE: u16 = 0x020C;
/// `type_of_loader`.
const LOADER: usize = 0x210;
/// A boot loader without a number of its own.
const LOADER_UNDEFINED: u8 = 0xFF;
/// `loadflags`.
const LOADFLAGS: usize = 0x211;
/// The protected-mode kernel is at 1 MiB or above.
const LOADED_HIGH: u8 = 1 << 0;
/// The kernel may draw where it maps memory (`kaslr_enabled` in arch/x86/include/asm/setup.h). A compressed kernel's own loader says
/// so, together with where it has moved the kernel, which nobody does here.
const KASLR_FLAG: u8 = 1 << 1;
/// `ramdisk_image`.
const RAMDISK_IMAGE: usize = 0x218;
/// `ramdisk_size`.
const RAMDISK_SIZE: usize = 0x21C;
/// `cmd_line_ptr`.
const CMD_LINE_PTR: usize = 0x228;
/// `cmdline_size`: the longest, without its NUL.
const CMDLINE_SIZE: usize = 0x238;
/// `e820_table`: up to 128 entries of 20 bytes.
const E820_TABLE: usize = 0x2D0;
const E820_ENTRY_LEN: usize = 20;

/// The zero page and the command line as guest memory.
pub fn zero_page(parameters: &Parameters) -> Vec<(u64, Vec<u8>)> {
    let mut page = vec![0; LEN];
    put(&mut page, BOOT_FLAG, &BOOT_FLAG_VALUE.to_le_bytes());
    put(&mut page, HEADER, b"HdrS");
    put(&mut page, VERSION, &VERSION_VALUE.to_le_bytes());
    put(&mut page, LOADER, &[LOADER_UNDEFINED]);
    put(&mut page, LOADFLAGS, &[LOADED_HIGH | KASLR_FLAG]);
    put(&mut page, RSDP, &parameters.rsdp.to_le_bytes());
    put(&mut page, CMD_LINE_PTR, &(CMDLINE as u32).to_le_bytes());
    put(&mut page, CMDLINE_SIZE, &(CMDLINE_MAX as u32 - 1).to_le_bytes());
    if let Some(initrd) = parameters.initrd {
        put_halves(&mut page, RAMDISK_IMAGE, EXT_RAMDISK_IMAGE, initrd.gpa);
        put_halves(&mut page, RAMDISK_SIZE, EXT_RAMDISK_SIZE, initrd.len);
    }
    let map = memory_map(parameters.ram);
    put(&mut page, E820_ENTRIES, &[map.len() as u8]);
    for (n, (range, kind)) in map.iter().enumerate() {
        let entry = E820_TABLE + n * E820_ENTRY_LEN;
        put(&mut page, entry, &range.start.to_le_bytes());
        put(&mut page, entry + 8, &(range.end - range.start).to_le_bytes());
        put(&mut page, entry + 16, &(*kind as u32).to_le_bytes());
    }
    vec![(ZERO_PAGE, page), (CMDLINE, parameters.cmdline.to_bytes())]
}

fn put(page: &mut [u8], offset: usize, bytes: &[u8]) {
    page[offset..offset + bytes.len()].copy_from_slice(bytes);
}

/// A 64-bit value in the two places where the protocol keeps its halves.
fn put_halves(page: &mut [u8], low: usize, high: usize, value: u64) {
    put(page, low, &(value as u32).to_le_bytes());
    put(page, high, &((value >> 32) as u32).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::Initrd;
    use super::*;
    use crate::cmdline::Cmdline;
    use arch::x86_64::layout;

    fn u32_at(page: &[u8], offset: usize) -> u32 {
        u32::from_le_bytes(page[offset..offset + 4].try_into().unwrap())
    }

    fn u64_at(page: &[u8], offset: usize) -> u64 {
        u64::from_le_bytes(page[offset..offset + 8].try_into().unwrap())
    }

    #[test]
    fn a_kernel_finds_what_it_needs() {
        let cmdline = Cmdline::new("quiet").unwrap();
        let memory = zero_page(&Parameters {
            ram: &layout::ram_ranges(4 << 30),
            cmdline: &cmdline,
            initrd: Some(Initrd { gpa: 0xBFF0_0000, len: 0x1_2345 }),
            rsdp: layout::ACPI,
        });
        let [(address, page), (cmdline_address, cmdline)] = &memory[..] else { panic!() };
        assert_eq!((*address, page.len()), (0x7000, 4096));
        assert_eq!((*cmdline_address, &cmdline[..]), (0x2_0000, &b"quiet\0"[..]));
        assert_eq!(&page[0x1FE..0x208], b"\x55\xAA\0\0HdrS\x0C\x02");
        assert_eq!(u64_at(page, 0x70), 0xE_0000);
        assert_eq!((u32_at(page, 0x218), u32_at(page, 0xC0)), (0xBFF0_0000, 0));
        assert_eq!((u32_at(page, 0x21C), u32_at(page, 0xC4)), (0x1_2345, 0));
        assert_eq!((u32_at(page, 0x228), u32_at(page, 0x238)), (0x2_0000, 2047));
        assert_eq!(page[0x1E8], 4);
        let last = 0x2D0 + 3 * 20;
        assert_eq!((u64_at(page, last), u64_at(page, last + 8)), (1 << 32, 1 << 30));
        assert_eq!(u32_at(page, last + 16), 1);
        // The "sentinel": a loader that leaves it non-zero has not cleared the page.
        assert_eq!(page[0x1EF], 0);
    }
}
