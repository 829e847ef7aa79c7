//! The local APIC's two interrupt pins at boot (Intel SDM 3A §11.5.1), as firmware leaves them for
//! an operating system (Multiprocessor Specification 1.4 §3.6.2.2, virtual wire mode).

/// A register's offset in the local APIC's page, and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LapicRegister {
    /// Offset.
    pub offset: usize,
    /// Value.
    pub value: u32,
}

/// Delivery modes, in bits 8 to 10 of a local vector table entry.
const NMI: u32 = 0b100 << 8;
const EXT_INT: u32 = 0b111 << 8;

/// LINT0 takes interrupts of an external controller, LINT1 is the NMI.
pub const BOOT: [LapicRegister; 2] =
    [LapicRegister { offset: 0x350, value: EXT_INT }, LapicRegister { offset: 0x360, value: NMI }];
