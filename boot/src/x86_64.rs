//! What an x86_64 Linux kernel is told at entry: memory map, command line, initramfs, ACPI root.
//!
//! The same facts in two forms: the zero page of the 64-bit Linux boot protocol, and the start info
//! of PVH.

mod initrd;
mod memory_map;
mod start_info;
mod zero_page;

pub use initrd::{Initrd, InitrdError, place_initrd};
pub use start_info::start_info;
pub use zero_page::zero_page;

use crate::cmdline::Cmdline;
use std::ops::Range;

/// The facts.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    /// RAM, as of [`arch::x86_64::layout::ram_ranges`].
    pub ram: &'a [Range<u64>],
    /// Kernel command line.
    pub cmdline: &'a Cmdline,
    /// Where the initramfs is, if there is one.
    pub initrd: Option<Initrd>,
    /// Address of the ACPI RSDP.
    pub rsdp: u64,
}
