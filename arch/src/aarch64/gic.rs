//! The interrupt controller that KVM emulates: where its parts are, and how it counts.

use std::fmt;

/// The version of the GIC, which is the host's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gic {
    /// GICv2 (Arm IHI 0048): memory-mapped CPU interfaces.
    V2,
    /// GICv3 (Arm IHI 0069): a redistributor for each vCPU. Nothing sends message-signalled interrupts, so there is no
    /// interrupt translation service.
    V3,
}

impl Gic {
    /// Most vCPUs that it can interrupt.
    pub const fn max_cpus(self) -> u32 {
        match self {
            Gic::V2 => 8,
            Gic::V3 => super::layout::MAX_CPUS,
        }
    }
}

impl fmt::Display for Gic {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Gic::V2 => "GICv2",
            Gic::V3 => "GICv3",
        })
    }
}

/// Distributor.
pub const GICD: u64 = 0x0800_0000;
/// Size of [`GICD`].
pub const GICD_LEN: u64 = 0x1_0000;
/// GICv2: CPU interface.
pub const GICC: u64 = 0x0801_0000;
/// Size of [`GICC`] (`KVM_VGIC_V2_CPU_SIZE`).
pub const GICC_LEN: u64 = 0x2000;
/// GICv3: redistributor of the first vCPU; the others' follow it.
pub const GICR: u64 = 0x080A_0000;
/// Size of a redistributor: two frames of 64 KiB (Arm IHI 0069 §12.10).
pub const GICR_LEN_PER_CPU: u64 = 0x2_0000;

/// INTID of the first shared peripheral interrupt (SPI).
pub const FIRST_SPI: u32 = 32;
/// INTID of the first private peripheral interrupt (PPI).
pub const FIRST_PPI: u32 = 16;
/// Interrupts of the GIC, the private ones included: KVM takes multiples of 32 from 64 on.
pub const NR_IRQS: u32 = 64;

/// PPI of the secure physical timer. It never comes, but the device tree's list begins with it.
pub const TIMER_SECURE_PPI: u32 = 13;
/// PPI of the non-secure physical timer.
pub const TIMER_PHYSICAL_PPI: u32 = 14;
/// PPI of the virtual timer.
pub const TIMER_VIRTUAL_PPI: u32 = 11;
/// PPI of the hypervisor's timer. It never comes, but the device tree's list ends with it.
pub const TIMER_HYPERVISOR_PPI: u32 = 10;
