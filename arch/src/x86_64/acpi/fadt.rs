//! The fixed ACPI description table (ACPI 6.5 §5.2.9): how to reset and how to power off.

use super::super::layout::{
    ACPI_RESET, ACPI_RESET_VALUE, ACPI_SLEEP_CONTROL, ACPI_SLEEP_STATUS, RTC_CENTURY,
};
use acpi_tables::fadt::{FADT, FADTBuilder, Flags};
use acpi_tables::gas::{AccessSize, AddressSpace, GAS};

/// `IAPC_BOOT_ARCH` (ACPI 6.5 §5.2.9.3): there is no VGA to probe for.
///
/// Clear, and meant so: bit 1, "8042": Linux then does not probe the keyboard controller, which can do
/// nothing but reset; bit 5, "CMOS RTC not present": there is one.
const BOOT_ARCH_NO_VGA: u16 = 1 << 2;

/// Who runs the machine, for the log of a guest.
const HYPERVISOR: [u8; 8] = *b"BULKHEAD";

/// The table, for a DSDT at this address.
pub fn fadt(dsdt: u64) -> FADT {
    let mut fadt = FADTBuilder::new(super::OEM, super::OEM_TABLE, super::OEM_REVISION)
        .dsdt_64(dsdt)
        .flag(Flags::Wbinvd)
        // Set means: not a fixed-hardware button. There is none.
        .flag(Flags::PwrButton)
        .flag(Flags::SlpButton)
        .flag(Flags::ResetRegSup)
        .flag(Flags::Headless)
        .flag(Flags::HwReducedAcpi);
    // Void in a hardware-reduced FADT by the letter, but Linux's rtc-mc146818-lib takes it from here.
    fadt.century = RTC_CENTURY;
    fadt.iapc_boot_arch = BOOT_ARCH_NO_VGA.into();
    fadt.reset_reg = byte_port(ACPI_RESET);
    fadt.reset_value = ACPI_RESET_VALUE;
    fadt.sleep_control_reg = byte_port(ACPI_SLEEP_CONTROL);
    fadt.sleep_status_reg = byte_port(ACPI_SLEEP_STATUS);
    fadt.hypervisor_vendor_identity = u64::from_le_bytes(HYPERVISOR).into();
    fadt.finalize()
}

fn byte_port(port: u16) -> GAS {
    GAS::new(AddressSpace::SystemIo, 8, 0, AccessSize::ByteAccess, port.into())
}
