//! Device registers in memory.

use super::machine::cpu;

/// Registers of 32 bits from an address on.
#[derive(Clone, Copy)]
pub struct Registers(u64);

impl Registers {
    /// # Safety
    /// At every offset that is read or written there has to be a register whose access leaves this program's memory
    /// alone, or nothing at all.
    pub const unsafe fn at(address: u64) -> Self {
        Self(address)
    }

    /// Reads the register at `offset`.
    pub fn read(self, offset: u64) -> u32 {
        // SAFETY: see `at`.
        unsafe { cpu::read_register((self.0 + offset) as *const u32) }
    }

    /// Writes the register at `offset`.
    pub fn write(self, offset: u64, value: u32) {
        // SAFETY: see `at`.
        unsafe { cpu::write_register((self.0 + offset) as *mut u32, value) }
    }
}
