//! What an arm64 kernel finds in registers and memory when it starts.

use arch::VirtioSlot;
use arch::aarch64::fdt::{self, Machine, Seeds};
use arch::aarch64::gic::Gic;
use arch::aarch64::layout;
use arch::aarch64::regs::{self, CpuStart};
use devices::virtio::rng::Entropy;

use super::caches;
use crate::error::VmmError;
use crate::machine::{Boot, HostEntropy};

pub use boot::aarch64::{Initrd, InitrdError, place_initrd};
pub use boot::arm64_image::{ImageError as KernelError, Kernel, parse as parse_kernel};

/// How the first vCPU starts.
pub fn start(kernel: &Kernel) -> CpuStart {
    regs::boot(kernel.entry, layout::FDT)
}

/// The device tree that tells the kernel where it is, with its guest physical address.
pub fn tables(
    boot: &Boot,
    vcpus: u32,
    slots: &[VirtioSlot],
    gic: Gic,
) -> Result<Vec<(u64, Vec<u8>)>, VmmError> {
    let tree = fdt::blob(&Machine {
        cpus: vcpus,
        caches: &caches::host(),
        ram: &boot.ram,
        gic,
        virtio: slots,
        cmdline: boot.cmdline.as_str(),
        initrd: boot.initrd.map(|initrd| initrd.gpa..initrd.gpa + initrd.len),
        seeds: &seeds().map_err(VmmError::system("getrandom"))?,
    })?;
    Ok(vec![(layout::FDT, tree)])
}

fn seeds() -> std::io::Result<Seeds> {
    let (mut rng, mut kaslr) = ([0; 32], [0; 8]);
    HostEntropy.fill(&mut rng)?;
    HostEntropy.fill(&mut kaslr)?;
    Ok(Seeds { rng, kaslr: u64::from_ne_bytes(kaslr) })
}
