//! The flattened device tree (Devicetree Specification 0.4 §5): what is in the machine that a kernel
//! can't find by asking. What each node must have is in Linux Documentation/devicetree/bindings.
//!
//! No memory is reserved in it: Linux keeps the tree itself and the initramfs that it names.

mod cpus;
mod devices;
mod interrupts;
#[cfg(test)]
mod tests;

pub use cpus::{Cache, CacheKind};

use super::gic::Gic;
use super::layout;
use crate::VirtioSlot;
use std::ops::Range;
use vm_fdt::{FdtWriter, FdtWriterResult};

/// What the tree tells of.
#[derive(Clone, Debug)]
pub struct Machine<'a> {
    /// Number of vCPUs.
    pub cpus: u32,
    /// Their caches.
    pub caches: &'a [Cache],
    /// RAM, as of [`layout::ram_ranges`].
    pub ram: &'a [Range<u64>],
    /// Version of the interrupt controller.
    pub gic: Gic,
    /// The virtio-mmio slots with a device.
    pub virtio: &'a [VirtioSlot],
    /// Kernel command line.
    pub cmdline: &'a str,
    /// Where the initramfs is, if there is one.
    pub initrd: Option<Range<u64>>,
    /// Random bytes, new for each start.
    pub seeds: &'a Seeds,
}

/// Random bytes that the kernel takes, and wipes from the tree.
#[derive(Debug)]
pub struct Seeds {
    /// For its random number generator: as many as its keys have.
    pub rng: [u8; 32],
    /// For the address at which it maps itself. Without it, the address is always the same.
    pub kaslr: u64,
}

/// Why there is no tree.
#[derive(Debug, thiserror::Error)]
pub enum FdtError {
    /// A text or a number that the format can't hold.
    #[error("device tree: {0}")]
    Format(#[from] vm_fdt::Error),
    /// No vCPU, or more than the interrupt controller knows.
    #[error("{cpus} vCPUs: a machine with a {gic} has 1 to {most}")]
    Cpus {
        /// As asked for.
        cpus: u32,
        /// The version of the GIC.
        gic: Gic,
        /// The most it can have.
        most: u32,
    },
    /// More than a kernel maps.
    #[error("the device tree is {len} bytes: at most {} fit", layout::FDT_MAX)]
    TooLarge {
        /// Its length.
        len: usize,
    },
}

/// Names by which nodes refer to another.
mod phandle {
    pub const GIC: u32 = 1;
    pub const CLOCK: u32 = 2;
    /// The first cache; the others follow it.
    pub const CACHES: u32 = 3;
}

/// The tree of a machine, to be put at [`layout::FDT`].
pub fn blob(machine: &Machine) -> Result<Vec<u8>, FdtError> {
    let Machine { cpus, gic, .. } = *machine;
    if !(1..=gic.max_cpus()).contains(&cpus) {
        return Err(FdtError::Cpus { cpus, gic, most: gic.max_cpus() });
    }
    let mut fdt = FdtWriter::new()?;
    node(&mut fdt, "", |fdt| {
        fdt.property_string("compatible", "linux,dummy-virt")?;
        fdt.property_string("model", "bulkhead")?;
        // 64 bits each.
        fdt.property_u32("#address-cells", 2)?;
        fdt.property_u32("#size-cells", 2)?;
        fdt.property_u32("interrupt-parent", phandle::GIC)?;
        // What devices do to memory goes through the same caches as what vCPUs do.
        fdt.property_null("dma-coherent")?;
        chosen(fdt, machine)?;
        cpus::write(fdt, machine)?;
        machine.ram.iter().try_for_each(|range| memory(fdt, range))?;
        psci(fdt)?;
        interrupts::write(fdt, machine)?;
        devices::write(fdt, machine)
    })?;
    let blob = fdt.finish()?;
    if blob.len() as u64 > layout::FDT_MAX {
        return Err(FdtError::TooLarge { len: blob.len() });
    }
    Ok(blob)
}

/// What `write` writes, as a node of this name.
fn node(
    fdt: &mut FdtWriter,
    name: &str,
    write: impl FnOnce(&mut FdtWriter) -> FdtWriterResult<()>,
) -> FdtWriterResult<()> {
    let node = fdt.begin_node(name)?;
    write(fdt)?;
    fdt.end_node(node)
}

/// A `compatible` property: the most specific name first.
fn compatible(fdt: &mut FdtWriter, names: &[&str]) -> FdtWriterResult<()> {
    fdt.property_string_list("compatible", names.iter().map(|name| name.to_string()).collect())
}

/// What the boot loader has to say.
fn chosen(fdt: &mut FdtWriter, machine: &Machine) -> FdtWriterResult<()> {
    node(fdt, "chosen", |fdt| {
        fdt.property_string("bootargs", machine.cmdline)?;
        fdt.property_string("stdout-path", &format!("/{}", devices::serial_name()))?;
        if let Some(initrd) = &machine.initrd {
            fdt.property_u64("linux,initrd-start", initrd.start)?;
            fdt.property_u64("linux,initrd-end", initrd.end)?;
        }
        fdt.property("rng-seed", &machine.seeds.rng)?;
        fdt.property_u64("kaslr-seed", machine.seeds.kaslr)
    })
}

fn memory(fdt: &mut FdtWriter, range: &Range<u64>) -> FdtWriterResult<()> {
    node(fdt, &format!("memory@{:x}", range.start), |fdt| {
        fdt.property_string("device_type", "memory")?;
        fdt.property_array_u64("reg", &[range.start, range.end - range.start])
    })
}

/// Power state coordination (Arm DEN0022), which KVM answers: it starts vCPUs, resets and powers off.
fn psci(fdt: &mut FdtWriter) -> FdtWriterResult<()> {
    node(fdt, "psci", |fdt| {
        compatible(fdt, &["arm,psci-1.0", "arm,psci-0.2"])?;
        fdt.property_string("method", "hvc")
    })
}
