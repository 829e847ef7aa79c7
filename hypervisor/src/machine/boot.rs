//! Kernel and initramfs, into guest memory.

use std::fs::File;
use std::ops::Range;
use std::path::Path;

use boot::cmdline::Cmdline;

use crate::config::Config;
use crate::error::VmmError;
use crate::memory::{Loader, Piece};
use crate::native::{self, Initrd, Kernel};

/// What the kernel is to be told of, once the machine is there.
pub struct Boot {
    /// The guest physical ranges of RAM.
    pub ram: Vec<Range<u64>>,
    /// The kernel command line.
    pub cmdline: Cmdline,
    /// What was loaded where, and how it is entered.
    pub kernel: Kernel,
    /// Where the initramfs is, if there is one.
    pub initrd: Option<Initrd>,
}

/// Loads what comes from files.
pub fn load(config: &Config, loader: &mut Loader, ram: Vec<Range<u64>>) -> Result<Boot, VmmError> {
    let cmdline = Cmdline::new(&config.command_line())?;
    let kernel = kernel(loader, &config.boot_source.kernel, &ram)?;
    let initrd = match &config.boot_source.initrd {
        Some(path) => Some(initrd(loader, path, &ram, kernel.end)?),
        None => None,
    };
    Ok(Boot { ram, cmdline, kernel, initrd })
}

fn kernel(loader: &mut Loader, path: &Path, ram: &[Range<u64>]) -> Result<Kernel, VmmError> {
    let file = File::open(path).map_err(VmmError::file(path))?;
    let kernel = native::parse_kernel(&file, ram)
        .map_err(|error| VmmError::Kernel { file: path.to_owned(), error })?;
    loader.expect_files_below(kernel.end)?;
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
    let initrd = native::place_initrd(ram, kernel_end, length)
        .map_err(|error| VmmError::Initrd { file: path.to_owned(), error })?;
    loader.load(&file, path, Piece { gpa: initrd.gpa, offset: 0, length })?;
    Ok(initrd)
}
