//! Kernel and initramfs, into guest memory.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use boot::Segment;
use boot::cmdline::Cmdline;

use crate::config::Config;
use crate::error::VmmError;
use crate::memory::{LARGE_PAGE, Loader, PAGE, Piece};
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
    let written = if native::KERNEL_REWRITES_ITSELF {
        let written = kernel.segments.iter().map(|segment| written(&file, segment));
        written.collect::<io::Result<_>>().map_err(VmmError::file(path))?
    } else {
        Vec::new()
    };
    loader.expect_kernel(&written, kernel.end)?;
    for segment in &kernel.segments {
        let piece =
            Piece { gpa: segment.gpa, offset: segment.file_offset, length: segment.file_len };
        loader.load(&file, path, piece)?;
    }
    Ok(kernel)
}

/// The part of a segment that a kernel which rewrites itself will write to, most pages of it. It ends where the linker has
/// filled up a large page with one byte: behind that comes a little code that Linux maps by itself (`ALIGN_ENTRY_TEXT_BEGIN`
/// in arch/x86/kernel/vmlinux.lds.S), and data that is only read.
fn written(file: &File, segment: &Segment) -> io::Result<Range<u64>> {
    let Segment { gpa, file_offset, file_len, mem_len } = *segment;
    let mut page = [0; PAGE as usize];
    let mut end = (gpa + PAGE).next_multiple_of(LARGE_PAGE as u64);
    while end <= gpa + file_len {
        file.read_exact_at(&mut page, file_offset + (end - PAGE - gpa))?;
        if page.iter().all(|byte| *byte == page[0]) {
            return Ok(gpa..end - PAGE);
        }
        end += LARGE_PAGE as u64;
    }
    Ok(gpa..gpa + mem_len)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_writes_to_what_comes_before_the_padding_of_a_large_page() {
        const LARGE: u64 = LARGE_PAGE as u64;
        let file = tempfile::tempfile().unwrap();
        // One byte in each page but those of the third large page's second half, which begin at a page of the file.
        for page in 0..LARGE / PAGE * 5 / 2 {
            file.write_all_at(&[1], (page + 1) * PAGE + 7).unwrap();
        }
        let segment =
            |mem_len| Segment { gpa: 8 * LARGE, file_offset: PAGE, file_len: 3 * LARGE, mem_len };
        file.set_len(4 * LARGE).unwrap();
        let whole = written(&file, &segment(4 * LARGE)).unwrap();
        assert_eq!(whole, 8 * LARGE..11 * LARGE - PAGE);
        let begun = Segment { file_len: 2 * LARGE, ..segment(4 * LARGE) };
        assert_eq!(written(&file, &begun).unwrap(), 8 * LARGE..12 * LARGE);
    }
}
