//! Model-specific registers at boot (Intel SDM 4 §2.1): what firmware would have set.
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
