//! Where everything is in the guest's physical address space and port space.
//!
//! ```text
//! 0x0000_0500  GDT                              ┐
//! 0x0000_6000  PVH start info                   │ low RAM: free for the guest
//! 0x0000_7000  Linux zero page                  │ once it has read them
//! 0x0000_9000  page tables (6 pages)            │
//! 0x0002_0000  kernel command line              ┘
//! 0x0009_FC00  end of usable low RAM
//! 0x000E_0000  ACPI tables, RSDP first          (reserved, as far as the guest knows)
//! 0x000F_FFF0  reset vector
//! 0x0010_0000  kernel; initramfs at the end of RAM below the gap
//! 0xC000_0000  MMIO gap: virtio-mmio slots, IOAPIC, local APIC
//! 0x1_0000_0000  the rest of RAM, when there is more than 3 GiB
//! ```

use crate::VirtioSlot;
use std::ops::Range;

/// End of RAM below 4 GiB at most, and start of the MMIO gap.
pub const LOW_RAM_END: u64 = 0xC000_0000;
/// Where RAM goes on above the gap.
pub const HIGH_RAM_START: u64 = 0x1_0000_0000;

/// Global descriptor table of the first vCPU.
pub const GDT: u64 = 0x500;
/// `struct hvm_start_info` for a kernel that is entered by PVH.
pub const START_INFO: u64 = 0x6000;
/// `struct boot_params` for a kernel that is entered by the 64-bit Linux boot protocol.
pub const ZERO_PAGE: u64 = 0x7000;
/// Top of the stack at entry, growing down towards the end of the zero page.
pub const BOOT_STACK: u64 = 0x8FF0;
/// First page table (PML4); the others follow it.
pub const PAGE_TABLES: u64 = 0x9000;
/// Kernel command line, of at most [`CMDLINE_MAX`](crate::CMDLINE_MAX) bytes.
pub const CMDLINE: u64 = 0x2_0000;

/// End of the RAM that the guest may use below 1 MiB: a PC's extended BIOS data area starts here.
pub const BASE_RAM_END: u64 = 0x9_FC00;
/// ACPI tables; the RSDP is the first of them. A PC's BIOS would be here.
pub const ACPI: u64 = 0xE_0000;
/// End of the space for ACPI tables.
pub const ACPI_END: u64 = RESET_VECTOR;
/// Where a PC's firmware starts in real mode.
pub const RESET_VECTOR: u64 = 0xF_FFF0;
/// Lowest address of a kernel segment, and start of the RAM that the guest may use above 1 MiB.
pub const KERNEL: u64 = 0x10_0000;

/// Registers of the IOAPIC (its address on every PC, and where KVM emulates it).
pub const IOAPIC: u64 = 0xFEC0_0000;
/// Interrupt inputs of the IOAPIC that KVM emulates (`KVM_IOAPIC_NUM_PINS`).
pub const IOAPIC_PINS: u32 = 24;
/// Registers of the local APIC (Intel SDM 3A §11.4.1).
pub const LAPIC: u64 = 0xFEE0_0000;
/// Three pages that `KVM_SET_TSS_ADDR` needs on Intel hosts, out of the way of everything else.
pub const KVM_TSS: u64 = 0xFFFB_D000;
/// The page that `KVM_SET_IDENTITY_MAP_ADDR` needs on Intel hosts, after the three of [`KVM_TSS`].
pub const KVM_IDENTITY_MAP: u64 = 0xFFFB_C000;

/// First port of the serial port COM1; it has eight.
pub const COM1: u16 = 0x3F8;
/// Ports of COM1.
pub const COM1_LEN: u16 = 8;
/// Interrupt of COM1.
pub const COM1_GSI: u32 = 4;
/// Index port of the MC146818 clock; the data port follows.
pub const RTC: u16 = 0x70;
/// Ports of the clock.
pub const RTC_LEN: u16 = 2;
/// The clock's register that holds the century, where PCs have it by custom.
pub const RTC_CENTURY: u8 = 0x32;
/// Interrupt of the clock.
pub const RTC_GSI: u32 = 8;
/// Data port of the i8042 keyboard controller; its command port is four on.
pub const I8042: u16 = 0x60;
/// Ports from the data port to the command port of the i8042.
pub const I8042_LEN: u16 = 5;
/// Sleep control register (ACPI 6.5 §4.8.3.7), then sleep status, then the reset register.
pub const ACPI_POWER: u16 = 0x600;
/// The three registers of [`ACPI_POWER`].
pub const ACPI_POWER_LEN: u16 = 3;
/// Sleep control register: the guest writes `SLP_EN | SLP_TYP << 2` to power off.
pub const ACPI_SLEEP_CONTROL: u16 = ACPI_POWER;
/// Sleep status register.
pub const ACPI_SLEEP_STATUS: u16 = ACPI_POWER + 1;
/// Reset register: the guest writes [`ACPI_RESET_VALUE`] to it.
pub const ACPI_RESET: u16 = ACPI_POWER + 2;
/// The value that resets the machine.
pub const ACPI_RESET_VALUE: u8 = 1;
/// The sleep type that the `\_S5_` package names for "soft off".
pub const ACPI_S5_TYPE: u8 = 5;

/// Address of the first virtio-mmio slot; the others follow it.
pub const VIRTIO_MMIO: u64 = LOW_RAM_END;
/// Size of a virtio-mmio slot.
pub const VIRTIO_MMIO_LEN: u64 = 0x1000;
/// Number of virtio-mmio slots.
pub const VIRTIO_SLOTS: usize = 16;
/// Interrupt of the first virtio-mmio slot.
const VIRTIO_FIRST_GSI: u32 = 5;

/// Most vCPUs of a machine.
pub const MAX_CPUS: u32 = 32;

/// Slot `n` of the virtio-mmio devices; `None` past the last.
///
/// Interrupts count up from 5, and leave out the clock's, so that no two devices share one.
pub fn virtio_slot(n: usize) -> Option<VirtioSlot> {
    if n >= VIRTIO_SLOTS {
        return None;
    }
    let gsi = VIRTIO_FIRST_GSI + n as u32;
    Some(VirtioSlot {
        base: VIRTIO_MMIO + n as u64 * VIRTIO_MMIO_LEN,
        len: VIRTIO_MMIO_LEN,
        gsi: if gsi < RTC_GSI { gsi } else { gsi + 1 },
    })
}

/// The guest physical ranges of `bytes` of RAM: one from 0, and one from 4 GiB if it does not fit
/// below the MMIO gap.
pub fn ram_ranges(bytes: u64) -> Vec<Range<u64>> {
    let low = bytes.min(LOW_RAM_END);
    let high = bytes - low;
    [0..low, HIGH_RAM_START..HIGH_RAM_START.saturating_add(high)]
        .into_iter()
        .filter(|range| !range.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ram_keeps_its_size_and_leaves_the_gap_free() {
        for mib in [64, 256, 3071, 3072, 3073, 4096, 65536] {
            let ranges = ram_ranges(mib << 20);
            assert_eq!(ranges.iter().map(|r| r.end - r.start).sum::<u64>(), mib << 20);
            for range in &ranges {
                assert!(range.end <= LOW_RAM_END || range.start >= HIGH_RAM_START);
            }
        }
        assert_eq!(ram_ranges(LOW_RAM_END).len(), 1);
        assert_eq!(ram_ranges(u64::MAX).len(), 2);
    }

    #[test]
    fn virtio_slots_have_interrupts_of_their_own() {
        let slots: Vec<_> = (0..VIRTIO_SLOTS).map(|n| virtio_slot(n).unwrap()).collect();
        assert_eq!(virtio_slot(VIRTIO_SLOTS), None);
        let gsis: HashSet<u32> = slots.iter().map(|slot| slot.gsi).collect();
        assert_eq!(gsis.len(), VIRTIO_SLOTS);
        assert!(!gsis.contains(&RTC_GSI) && !gsis.contains(&COM1_GSI));
        assert!(gsis.iter().all(|&gsi| gsi < IOAPIC_PINS));
        assert_eq!(slots[3], VirtioSlot { base: 0xC000_3000, len: 0x1000, gsi: 9 });
    }
}
