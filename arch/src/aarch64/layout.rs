//! Where everything is in the guest's physical address space, and which interrupt it has.
//!
//! ```text
//! 0x0800_0000  GIC: distributor, CPU interface or redistributors (see `gic`)
//! 0x0900_0000  PL011 serial port
//! 0x0901_0000  PL031 clock
//! 0x0A00_0000  virtio-mmio slots
//! 0x4000_0000  RAM: device tree
//! 0x4020_0000  kernel; initramfs near the end of RAM
//! ```
//!
//! A GSI, the number that KVM takes for an interrupt, is the number of a shared peripheral
//! interrupt (SPI). The GIC counts 32 more: INTID 32 is the first SPI (Arm IHI 0069 §2.2).

use crate::VirtioSlot;
use std::iter;
use std::ops::Range;

/// Start of RAM. It is one range, however large.
pub const RAM_START: u64 = 0x4000_0000;
/// The flattened device tree, at the start of RAM.
pub const FDT: u64 = RAM_START;
/// Most bytes of the device tree (Linux Documentation/arch/arm64/booting.rst §2).
pub const FDT_MAX: u64 = 0x20_0000;
/// The 2 MiB aligned base from which the kernel's Image has its `text_offset`.
pub const KERNEL: u64 = FDT + FDT_MAX;

/// Registers of the PL011 serial port.
pub const PL011: u64 = 0x0900_0000;
/// Size of the registers of [`PL011`].
pub const PL011_LEN: u64 = 0x1000;
/// Interrupt of [`PL011`].
pub const PL011_GSI: u32 = 1;
/// Registers of the PL031 clock.
pub const PL031: u64 = 0x0901_0000;
/// Size of the registers of [`PL031`].
pub const PL031_LEN: u64 = 0x1000;
/// Interrupt of [`PL031`].
pub const PL031_GSI: u32 = 2;

/// Address of the first virtio-mmio slot; the others follow it.
pub const VIRTIO_MMIO: u64 = 0x0A00_0000;
/// Size of a virtio-mmio slot.
pub const VIRTIO_MMIO_LEN: u64 = 0x1000;
/// Number of virtio-mmio slots.
pub const VIRTIO_SLOTS: usize = 16;
/// Interrupt of the first virtio-mmio slot; the others' follow it.
const VIRTIO_FIRST_GSI: u32 = 16;

/// Most vCPUs of a machine.
pub const MAX_CPUS: u32 = 32;

/// Slot `n` of the virtio-mmio devices; `None` past the last.
pub fn virtio_slot(n: usize) -> Option<VirtioSlot> {
    (n < VIRTIO_SLOTS).then(|| VirtioSlot {
        base: VIRTIO_MMIO + n as u64 * VIRTIO_MMIO_LEN,
        len: VIRTIO_MMIO_LEN,
        gsi: VIRTIO_FIRST_GSI + n as u32,
    })
}

/// The guest physical ranges of `bytes` of RAM: one.
pub fn ram_ranges(bytes: u64) -> Vec<Range<u64>> {
    iter::once(RAM_START..RAM_START.saturating_add(bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::gic;
    use super::*;
    use std::collections::HashSet;

    fn slots() -> Vec<VirtioSlot> {
        (0..VIRTIO_SLOTS).map(|n| virtio_slot(n).unwrap()).collect()
    }

    #[test]
    fn no_two_regions_overlap() {
        let region = |base, len| base..base + len;
        let mut all = vec![
            region(gic::GICD, gic::GICD_LEN),
            region(gic::GICC, gic::GICC_LEN),
            region(gic::GICR, u64::from(MAX_CPUS) * gic::GICR_LEN_PER_CPU),
            region(PL011, PL011_LEN),
            region(PL031, PL031_LEN),
            region(RAM_START, 1 << 40),
        ];
        all.extend(slots().iter().map(|slot| region(slot.base, slot.len)));
        all.sort_by_key(|range| range.start);
        assert!(all.windows(2).all(|pair| pair[0].end <= pair[1].start), "{all:x?}");
        assert!(KERNEL.is_multiple_of(2 << 20));
    }

    #[test]
    fn each_device_has_an_interrupt_of_its_own() {
        assert_eq!(virtio_slot(3), Some(VirtioSlot { base: 0xA00_3000, len: 0x1000, gsi: 19 }));
        assert_eq!(virtio_slot(VIRTIO_SLOTS), None);
        let mut gsis: HashSet<u32> = slots().iter().map(|slot| slot.gsi).collect();
        gsis.extend([PL011_GSI, PL031_GSI]);
        assert_eq!(gsis.len(), VIRTIO_SLOTS + 2);
        assert!(gsis.iter().all(|gsi| gic::FIRST_SPI + gsi < gic::NR_IRQS));
    }
}
