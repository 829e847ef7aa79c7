//! The instructions that Rust has no words for.

use core::arch::asm;
use core::arch::x86_64::__cpuid;

/// Writes a byte to an I/O port.
pub fn out_byte(port: u16, value: u8) {
    // SAFETY: a port access touches no memory of this program; no device of the machine is set up to do so by one byte.
    unsafe {
        asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags))
    }
}

/// Reads a byte from an I/O port.
pub fn in_byte(port: u16) -> u8 {
    let value;
    // SAFETY: as for `out_byte`.
    unsafe {
        asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags))
    }
    value
}

/// Reads a device register in memory.
///
/// # Safety
/// The address is that of a register, or of nothing; if there is a device, reading leaves memory alone.
pub unsafe fn read_register(address: *const u32) -> u32 {
    // SAFETY: the caller vouches for it.
    unsafe { address.read_volatile() }
}

/// Writes a device register in memory.
///
/// # Safety
/// As for [`read_register`].
pub unsafe fn write_register(address: *mut u32, value: u32) {
    // SAFETY: the caller vouches for it.
    unsafe { address.write_volatile(value) }
}

/// Reads a model-specific register, which must exist.
pub fn read_msr(number: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reading has no effect on memory; for an unknown register the exception handler reports and stops.
    unsafe {
        asm!("rdmsr", in("ecx") number, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags))
    }
    u64::from(high) << 32 | u64::from(low)
}

/// The registers EAX, EBX, ECX, EDX of a CPUID leaf.
pub fn cpuid(leaf: u32) -> [u32; 4] {
    let result = __cpuid(leaf);
    [result.eax, result.ebx, result.ecx, result.edx]
}

/// Stops until an interrupt was served, then holds interrupts off again. Called while they are off, so that
/// none slips in between a check and the halt.
pub fn wait_for_interrupt() {
    // SAFETY: the interrupt table is loaded before anyone waits, and its handlers keep all registers. They use the stack: so does this.
    unsafe { asm!("sti", "hlt", "cli") }
}

/// Lets interrupts in for a moment.
pub fn allow_interrupts() {
    // SAFETY: as for `wait_for_interrupt`.
    unsafe { asm!("sti", "nop", "cli") }
}

/// Forgets the translation of the page at this address.
pub fn invalidate_page(address: u64) {
    // SAFETY: a translation that is forgotten is looked up again.
    unsafe { asm!("invlpg [{}]", in(reg) address, options(nostack, preserves_flags)) }
}

/// Loads the interrupt descriptor table.
///
/// # Safety
/// The table must stay, and each of its entries lead to a handler.
pub unsafe fn load_interrupt_table(address: u64, bytes: u16) {
    let mut pointer = [0u8; 10];
    pointer[..2].copy_from_slice(&bytes.to_le_bytes());
    pointer[2..].copy_from_slice(&address.to_le_bytes());
    // SAFETY: the caller vouches for the table; the pointer to it is only needed during the instruction.
    unsafe {
        asm!("lidt [{}]", in(reg) pointer.as_ptr(), options(readonly, nostack, preserves_flags))
    }
}

/// Address of the last page fault.
pub fn fault_address() -> u64 {
    let value;
    // SAFETY: reading CR2 has no effect.
    unsafe { asm!("mov {}, cr2", out(reg) value, options(nomem, nostack, preserves_flags)) }
    value
}

/// Stops for good.
pub fn halt_forever() -> ! {
    loop {
        // SAFETY: with interrupts off nothing wakes the processor; that is the intention.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) }
    }
}
