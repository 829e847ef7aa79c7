//! The state of a vCPU when a kernel is entered without firmware, and its name among the others.

/// PSTATE: exception level 1 with its own stack pointer, "EL1h" (Arm DDI 0487 §C5.2.19).
const EL1H: u64 = 0b0101;
/// PSTATE: debug exceptions, SErrors, IRQs and FIQs are masked.
const DAIF: u64 = 0b1111 << 6;

/// Where and how the first vCPU starts. All else is 0, as KVM's reset leaves it, the MMU and the
/// caches are off. The other vCPUs are off until the kernel's PSCI `CPU_ON`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuStart {
    /// Program counter.
    pub pc: u64,
    /// First general register: the device tree's address.
    pub x0: u64,
    /// Processor state.
    pub pstate: u64,
}

/// Entry by the arm64 Linux boot protocol (Documentation/arch/arm64/booting.rst §4).
pub fn boot(entry: u64, fdt: u64) -> CpuStart {
    CpuStart { pc: entry, x0: fdt, pstate: DAIF | EL1H }
}

/// Affinity fields of the `MPIDR_EL1` that KVM gives vCPU `n`: 16 vCPUs to a value of Aff1, because
/// a GICv3 sends an interrupt to up to 16 of one Aff1 at once (Arm IHI 0069 §12.2.20).
pub fn mpidr(n: u32) -> u32 {
    (n >> 4) << 8 | n & 0xF
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_is_entered_in_el1_with_interrupts_off() {
        let start = boot(0x4020_0000, 0x4000_0000);
        assert_eq!((start.pc, start.x0, start.pstate), (0x4020_0000, 0x4000_0000, 0x3C5));
    }

    #[test]
    fn the_seventeenth_vcpu_starts_another_cluster() {
        assert_eq!([0, 1, 15, 16, 31].map(mpidr), [0, 1, 0xF, 0x100, 0x10F]);
    }
}
