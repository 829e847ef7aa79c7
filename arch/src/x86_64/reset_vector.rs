//! The last sixteen bytes of the first MiB: where a PC's firmware starts, and where a kernel jumps to
//! in real mode to reboot by it.
//!
//! Linux does so here, unless told otherwise by `reboot=`: built with EFI support, it takes the
//! hardware-reduced ACPI of this machine for a sign of EFI (`efi_reboot_required`), finds no EFI to
//! call, and goes on to the BIOS without a look at the ACPI reset register. So this is a firmware
//! whose only service is to write that register.

use super::layout;

/// 16-bit code:
///
/// ```text
/// ba 02 06   mov dx, 0x602    reset register
/// b0 01      mov al, 1        reset value
/// ee         out dx, al
/// f4         hlt              not reached
/// eb fd      jmp hlt
/// ```
const CODE: [u8; 9] = {
    let [low, high] = layout::ACPI_RESET.to_le_bytes();
    [0xBA, low, high, 0xB0, layout::ACPI_RESET_VALUE, 0xEE, 0xF4, 0xEB, 0xFD]
};

/// The code as guest memory.
pub fn memory() -> (u64, Vec<u8>) {
    (layout::RESET_VECTOR, CODE.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_writes_the_reset_register_and_stays_below_one_mib() {
        let (address, code) = memory();
        assert_eq!(code, [0xBA, 0x02, 0x06, 0xB0, 0x01, 0xEE, 0xF4, 0xEB, 0xFD]);
        // FFFF:0000, as a real-mode far jump names it.
        assert_eq!(address, 0xFFFF << 4);
        assert!(address + code.len() as u64 <= layout::KERNEL);
    }
}
