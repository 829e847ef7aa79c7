//! What guest memory holds when the first vCPU starts: kernel, initramfs, and the tables that
//! tell the kernel where it is.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use arch::VirtioSlot;
use arch::x86_64::layout;
use arch::x86_64::regs::{self, CpuStart};
use arch::x86_64::{acpi, reset_vector};
use boot::cmdline::Cmdline;
use boot::elf::{Entry, Kernel};
use boot::x86_64::{Initrd, Parameters, place_initrd, start_info, zero_page};
use devices::GuestMemory;

use crate::config::Config;
use crate::error::VmmError;
use crate::memory::{Loaded, Loader, Piece};

/// Loads everything, and says how the first vCPU starts.
pub fn load(
    config: &Config,
    memory: &GuestMemory,
    ram: &[Range<u64>],
    slots: &[VirtioSlot],
) -> Result<(CpuStart, Loaded), VmmError> {
    let cmdline = Cmdline::new(&config.command_line())?;
    let mut loader = Loader::new(memory);
    let kernel = kernel(&mut loader, &config.boot_source.kernel, ram)?;
    let initrd = match &config.boot_source.initrd {
        Some(path) => Some(initrd(&mut loader, path, ram, kernel.end)?),
        None => None,
    };
    let parameters = Parameters { ram, cmdline: &cmdline, initrd, rsdp: layout::ACPI };
    let (start, facts) = match kernel.entry {
        Entry::Linux64 { rip } => (regs::long_mode(rip, layout::ZERO_PAGE), zero_page(&parameters)),
        Entry::Pvh { eip } => (regs::pvh(eip, layout::START_INFO as u32), start_info(&parameters)),
    };
    let tables = acpi::tables(config.machine.vcpus, slots);
    let fixed = tables.into_iter().chain([reset_vector::memory()]);
    for (gpa, bytes) in start.memory().into_iter().chain(facts).chain(fixed) {
        loader.write(gpa, &bytes)?;
    }
    Ok((start, loader.loaded()))
}

fn kernel(loader: &mut Loader, path: &Path, ram: &[Range<u64>]) -> Result<Kernel, VmmError> {
    let file = File::open(path).map_err(VmmError::file(path))?;
    let kernel = boot::elf::parse(&file, ram)
        .map_err(|error| VmmError::Kernel { file: path.to_owned(), error })?;
    for segment in &kernel.segments {
        let piece =
            Piece { gpa: segment.gpa, offset: segment.file_offset, length: segment.file_len };
        loader.load(&file, path, piece)?;
    }
    Ok(kernel)
}

fn initrd(
    loader: &mut Loader,
    path: &Path,
    ram: &[Range<u64>],
    kernel_end: u64,
) -> Result<Initrd, VmmError> {
    let file = File::open(path).map_err(VmmError::file(path))?;
    let length = file.metadata().map_err(VmmError::file(path))?.len();
    let initrd = place_initrd(ram, kernel_end, length)
        .map_err(|error| VmmError::Initrd { file: path.to_owned(), error })?;
    loader.load(&file, path, Piece { gpa: initrd.gpa, offset: 0, length })?;
    Ok(initrd)
}
