//! What an x86_64 kernel finds in registers and memory when it starts.

use arch::VirtioSlot;
use arch::x86_64::layout;
use arch::x86_64::regs::{self, CpuStart};
use arch::x86_64::{acpi, reset_vector};
use boot::elf::Entry;
use boot::x86_64::{Parameters, start_info, zero_page};

use super::vm::InterruptController;
use crate::error::VmmError;
use crate::machine::Boot;

pub use boot::elf::{ElfError as KernelError, Kernel, parse as parse_kernel};
pub use boot::x86_64::{Initrd, InitrdError, place_initrd};

/// How the first vCPU starts: as the kernel's file asks for.
pub fn start(kernel: &Kernel) -> CpuStart {
    match kernel.entry {
        Entry::Linux64 { rip } => regs::long_mode(rip, layout::ZERO_PAGE),
        Entry::Pvh { eip } => regs::pvh(eip, layout::START_INFO as u32),
    }
}

/// The tables that tell the kernel where it is, each with its guest physical address.
pub fn tables(
    boot: &Boot,
    vcpus: u32,
    slots: &[VirtioSlot],
    _: InterruptController,
) -> Result<Vec<(u64, Vec<u8>)>, VmmError> {
    let parameters = Parameters {
        ram: &boot.ram,
        cmdline: &boot.cmdline,
        initrd: boot.initrd,
        rsdp: layout::ACPI,
    };
    let facts = match boot.kernel.entry {
        Entry::Linux64 { .. } => zero_page(&parameters),
        Entry::Pvh { .. } => start_info(&parameters),
    };
    let mut tables = start(&boot.kernel).memory();
    tables.extend(facts);
    tables.extend(acpi::tables(vcpus, slots));
    tables.push(reset_vector::memory());
    Ok(tables)
}
