//! The instructions that Rust has no words for.

use core::arch::asm;

/// Reads a system register whose reading has no effect.
macro_rules! read_system {
    ($register:literal) => {{
        let value: u64;
        // SAFETY: reading it has no effect.
        unsafe {
            core::arch::asm!(concat!("mrs {}, ", $register), out(reg) value, options(nomem, nostack, preserves_flags));
        }
        value
    }};
}
pub(super) use read_system;

/// Writes a system register that this program's memory and control flow do not depend on.
macro_rules! write_system {
    ($register:literal, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: the program goes on as before, whatever is written.
        unsafe {
            core::arch::asm!(concat!("msr ", $register, ", {}"), "isb", in(reg) value, options(nostack, preserves_flags));
        }
    }};
}
pub(super) use write_system;

/// Reads a device register in memory.
///
/// # Safety
/// The address is that of a register, or of nothing; if there is a device, reading leaves memory alone.
pub unsafe fn read_register(address: *const u32) -> u32 {
    let value;
    // The compiler may choose an instruction for a volatile access that hypervisors can't emulate (rust-lang/rust#131894).
    // SAFETY: the caller vouches for it.
    unsafe {
        asm!("ldr {:w}, [{}]", out(reg) value, in(reg) address, options(nostack, preserves_flags))
    }
    value
}

/// Writes a device register in memory.
///
/// # Safety
/// As for [`read_register`].
pub unsafe fn write_register(address: *mut u32, value: u32) {
    // SAFETY: the caller vouches for it.
    unsafe {
        asm!("str {:w}, [{}]", in(reg) value, in(reg) address, options(nostack, preserves_flags))
    }
}

/// Sleeps until an interrupt is pending; that these are masked does not matter.
pub fn wait_for_interrupt() {
    // SAFETY: it changes nothing.
    unsafe { asm!("wfi", options(nomem, nostack, preserves_flags)) }
}

/// Lets an interrupt in, if one is pending; tells whether its exception was taken: then the handler masked them (boot.s).
pub fn take_interrupt() -> bool {
    let masks: u64;
    // SAFETY: the vector table is set before any Rust code, and the interrupt's handler keeps all registers.
    unsafe {
        asm!("msr daifclr, #2", "isb", "mrs {}, daif", "msr daifset, #2", out(reg) masks, options(nostack, preserves_flags))
    }
    masks & 1 << 7 != 0
}

/// The processor's number: affinity levels 3, 2, 1, 0 in MPIDR_EL1.
pub fn affinity() -> u64 {
    read_system!("mpidr_el1") & 0xff_00ff_ffff
}

/// Stops for good.
pub fn halt_forever() -> ! {
    loop {
        wait_for_interrupt();
    }
}
