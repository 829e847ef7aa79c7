//! Model-specific registers at boot (Intel SDM 4 §2.1): what firmware would have set; and those that a snapshot holds.
//!
//! `IA32_ARCH_CAPABILITIES` is not among them: its value is the host's to say, KVM sets it when the
//! vCPU is made, and some hosts refuse to have it written.

/// A register's index and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msr {
    /// Index, as for RDMSR.
    pub index: u32,
    /// Value.
    pub value: u64,
}

const TSC: u32 = 0x10;
const SYSENTER_CS: u32 = 0x174;
const SYSENTER_ESP: u32 = 0x175;
const SYSENTER_EIP: u32 = 0x176;
const MISC_ENABLE: u32 = 0x1A0;
const MTRR_DEF_TYPE: u32 = 0x2FF;
const STAR: u32 = 0xC000_0081;
const LSTAR: u32 = 0xC000_0082;
const CSTAR: u32 = 0xC000_0083;
const SYSCALL_MASK: u32 = 0xC000_0084;
const KERNEL_GS_BASE: u32 = 0xC000_0102;

/// `MISC_ENABLE`: fast string operations.
const FAST_STRING: u64 = 1 << 0;
/// `MTRR_DEF_TYPE`: MTRRs are on, and memory that none of them names is write-back. Linux warns, and
/// may choose uncached memory, where firmware left them off.
const MTRR_WRITE_BACK: u64 = 1 << 11 | 6;

/// The values of every vCPU.
pub const fn boot_msrs() -> [Msr; 11] {
    [
        Msr { index: SYSENTER_CS, value: 0 },
        Msr { index: SYSENTER_ESP, value: 0 },
        Msr { index: SYSENTER_EIP, value: 0 },
        Msr { index: STAR, value: 0 },
        Msr { index: LSTAR, value: 0 },
        Msr { index: CSTAR, value: 0 },
        Msr { index: SYSCALL_MASK, value: 0 },
        Msr { index: KERNEL_GS_BASE, value: 0 },
        Msr { index: TSC, value: 0 },
        Msr { index: MISC_ENABLE, value: FAST_STRING },
        Msr { index: MTRR_DEF_TYPE, value: MTRR_WRITE_BACK },
    ]
}

/// `IA32_TSC_DEADLINE`: its timer needs the time stamp counter and the local APIC as they were, so it is set behind them.
pub const TSC_DEADLINE: u32 = 0x6E0;
/// `IA32_TSC`.
pub const TIME_STAMP_COUNTER: u32 = TSC;

/// The memory types of ranges, by their first and last index: `IA32_MTRR_PHYSBASE0` to `PHYSMASK7`, the fixed ones, and the
/// default. Some KVMs have them and don't say so.
pub const MTRRS: [(u32, u32); 5] = [
    (0x200, 0x20F),
    (0x250, 0x250),
    (0x258, 0x259),
    (0x268, 0x26F),
    (MTRR_DEF_TYPE, MTRR_DEF_TYPE),
];

/// Registers in which a guest keeps something, by their first and last index (Intel SDM 4 §2.1, AMD APM 2 Appendix A,
/// Documentation/virt/kvm/x86/msr.rst). A register that is not named here is the host's to say, write-only, or the local
/// APIC's, which has a state of its own.
const SAVED: [(u32, u32); 26] = [
    // With the older of kvmclock's pairs.
    (TSC, 0x12),
    (0x1B, 0x1B),   // APIC_BASE
    (0x34, 0x34),   // SMI_COUNT
    (0x3A, 0x3B),   // FEATURE_CONTROL, TSC_ADJUST
    (0x48, 0x48),   // SPEC_CTRL
    (0xE1, 0xE1),   // UMWAIT_CONTROL
    (0x122, 0x122), // TSX_CTRL
    (0x140, 0x140), // MISC_FEATURES_ENABLES
    (SYSENTER_CS, SYSENTER_EIP),
    // MCG_CTL, 0x17B, is there with some processors only, and KVM names it with all.
    (0x179, 0x17A), // MCG_CAP, MCG_STATUS
    (MISC_ENABLE, MISC_ENABLE),
    (0x1C4, 0x1C5), // XFD, XFD_ERR
    (0x1D9, 0x1D9), // DEBUGCTL
    (0x277, 0x277), // PAT
    (0x280, 0x29F), // MC0_CTL2 and on
    (0x400, 0x47F), // MC0_CTL and on
    (0x4D0, 0x4D0), // MCG_EXT_CTL
    (0x6A0, 0x6A8), // control-flow enforcement
    (TSC_DEADLINE, TSC_DEADLINE),
    (0xD90, 0xD90), // BNDCFGS
    (0xDA0, 0xDA0), // XSS
    // Those that KVM makes up for its guests: clock, asynchronous page faults, steal time, end of interrupt.
    (0x4B56_4D00, 0x4B56_4DFF),
    (0xC000_0080, SYSCALL_MASK), // EFER, STAR, LSTAR, CSTAR
    (0xC000_0100, 0xC000_0103),  // FS_BASE, GS_BASE, KERNEL_GS_BASE, TSC_AUX
    (0xC001_0015, 0xC001_0015),  // HWCR
    (0xC001_011F, 0xC001_011F),  // VIRT_SPEC_CTRL
];

/// Whether a snapshot holds this register.
pub fn is_saved(index: u32) -> bool {
    SAVED.iter().any(|(first, last)| (*first..=*last).contains(&index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_sets_is_saved_and_what_the_host_says_is_not() {
        for msr in boot_msrs().iter().filter(|msr| msr.index != MTRR_DEF_TYPE) {
            assert!(is_saved(msr.index), "{:#x}", msr.index);
        }
        // PRED_CMD, ARCH_CAPABILITIES, FLUSH_CMD, MCG_CTL, the x2APIC's.
        for index in [0x49, 0x10A, 0x10B, 0x17B, 0x800, 0x83F] {
            assert!(!is_saved(index), "{index:#x}");
        }
        assert!(SAVED.windows(2).all(|pair| pair[0].1 < pair[1].0), "in order and apart");
    }
}
