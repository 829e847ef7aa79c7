//! The state of the first vCPU when a kernel is entered without firmware.
//!
//! Two ways in: the 64-bit Linux boot protocol (paging on, zero page in RSI) and PVH (32-bit
//! protected mode, start info in EBX). The other vCPUs wait for the kernel's SIPI as on any PC, and
//! keep the state in which KVM made them.

use super::gdt::{self, Segment};
use super::{layout, page_tables};

/// CR0: protected mode.
const CR0_PE: u64 = 1 << 0;
/// CR0: extension type, always 1.
const CR0_ET: u64 = 1 << 4;
/// CR0: paging.
const CR0_PG: u64 = 1 << 31;
/// CR4: physical address extension, which long mode needs.
const CR4_PAE: u64 = 1 << 5;
/// EFER: long mode enabled, and active.
const EFER_LME_LMA: u64 = 1 << 8 | 1 << 10;
/// RFLAGS: bit 1 is always 1; interrupts are off.
const RFLAGS: u64 = 1 << 1;

/// General registers; those not named are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GeneralRegisters {
    /// Instruction pointer.
    pub rip: u64,
    /// Flags.
    pub rflags: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// Frame pointer.
    pub rbp: u64,
    /// For PVH: the start info's address.
    pub rbx: u64,
    /// For the Linux boot protocol: the zero page's address.
    pub rsi: u64,
}

/// Base and limit of a descriptor table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableRegister {
    /// Guest address.
    pub base: u64,
    /// Its last byte's offset.
    pub limit: u16,
}

/// Where and how the first vCPU starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuStart {
    /// General registers.
    pub general: GeneralRegisters,
    /// Code segment.
    pub code: Segment,
    /// DS, ES, FS, GS and SS.
    pub data: Segment,
    /// Task register.
    pub task: Segment,
    /// GDTR; the bytes are in [`CpuStart::gdt_table`].
    pub gdt: TableRegister,
    /// IDTR: empty, any exception before the kernel loads its own is a triple fault.
    pub idt: TableRegister,
    /// Control register 0.
    pub cr0: u64,
    /// Control register 3: the PML4's address.
    pub cr3: u64,
    /// Control register 4.
    pub cr4: u64,
    /// Extended feature enable register.
    pub efer: u64,
    /// The descriptors to be written to guest memory at `gdt.base`.
    pub gdt_table: [u64; 5],
}

impl CpuStart {
    /// The guest memory that the state refers to: the GDT, and page tables if paging is on.
    pub fn memory(&self) -> Vec<(u64, Vec<u8>)> {
        let gdt = self.gdt_table.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        let mut memory = vec![(self.gdt.base, gdt)];
        if self.cr0 & CR0_PG != 0 {
            memory.extend(page_tables::identity());
        }
        memory
    }
}

/// Entry by the 64-bit Linux boot protocol (Documentation/arch/x86/boot.rst): long mode, an identity
/// map, flat segments, RSI at the zero page.
pub fn long_mode(rip: u64, zero_page: u64) -> CpuStart {
    CpuStart {
        general: GeneralRegisters {
            rip,
            rflags: RFLAGS,
            rsp: layout::BOOT_STACK,
            rbp: layout::BOOT_STACK,
            rsi: zero_page,
            ..Default::default()
        },
        cr0: CR0_PE | CR0_ET | CR0_PG,
        cr3: layout::PAGE_TABLES,
        cr4: CR4_PAE,
        efer: EFER_LME_LMA,
        ..flat(Segment::CODE64)
    }
}

/// Entry by PVH (Xen docs/misc/pvh.pandoc): 32-bit protected mode, no paging, flat segments, EBX at
/// the start info.
pub fn pvh(eip: u32, start_info: u32) -> CpuStart {
    CpuStart {
        general: GeneralRegisters {
            rip: eip.into(),
            rflags: RFLAGS,
            rbx: start_info.into(),
            ..Default::default()
        },
        cr0: CR0_PE | CR0_ET,
        ..flat(Segment::CODE32)
    }
}

/// What both ways in have in common.
fn flat(code: Segment) -> CpuStart {
    let gdt_table = gdt::table(code);
    CpuStart {
        general: GeneralRegisters::default(),
        code,
        data: Segment::DATA,
        task: Segment::TSS,
        gdt: TableRegister { base: layout::GDT, limit: (size_of_val(&gdt_table) - 1) as u16 },
        idt: TableRegister::default(),
        cr0: 0,
        cr3: 0,
        cr4: 0,
        efer: 0,
        gdt_table,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_is_entered_in_long_mode() {
        let start = long_mode(0x100_0000, layout::ZERO_PAGE);
        assert_eq!(start.general.rsi, 0x7000);
        assert_eq!((start.cr0, start.cr4, start.efer), (0x8000_0011, 0x20, 0x500));
        assert!(start.code.long && !start.code.db);
        let addresses: Vec<u64> = start.memory().iter().map(|(address, _)| *address).collect();
        assert_eq!(addresses, [0x500, 0x9000]);
    }

    #[test]
    fn pvh_is_entered_in_protected_mode() {
        let start = pvh(0x100_0000, layout::START_INFO as u32);
        assert_eq!((start.general.rbx, start.cr0, start.cr4, start.efer), (0x6000, 0x11, 0, 0));
        assert_eq!((start.code.limit, start.task.limit, start.gdt.limit), (u32::MAX, 0x67, 39));
        assert_eq!(start.memory().len(), 1);
    }

    #[test]
    fn nothing_in_low_memory_overlaps() {
        let start = long_mode(0, 0);
        let mut ranges: Vec<_> = start
            .memory()
            .into_iter()
            .map(|(address, bytes)| address..address + bytes.len() as u64)
            .collect();
        ranges.push(layout::START_INFO..layout::START_INFO + 0x1000);
        ranges.push(layout::ZERO_PAGE..layout::ZERO_PAGE + 0x1000);
        ranges.push(layout::CMDLINE..layout::CMDLINE + crate::CMDLINE_MAX as u64);
        ranges.push(layout::ACPI..layout::ACPI_END);
        ranges.sort_by_key(|range| range.start);
        assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "{ranges:x?}");
    }
}
