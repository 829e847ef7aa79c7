//! Kernel and initramfs, into guest memory.

pub(super) mod shared;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use boot::Segment;
use boot::cmdline::Cmdline;

use super::opened::{KernelFile, Opened};
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

/// A kernel that has more bytes than this which it only reads is a distribution's, and looks at three quarters of them as it
/// starts (types, symbols); ours looks at a fifth. To copy a page takes a fifth of the time of its fault.
const MOST_MAPPED: u64 = 8 << 20;

/// Loads what comes from files.
pub(super) fn load(
    config: &Config,
    opened: &Opened,
    loader: &mut Loader,
    ram: Vec<Range<u64>>,
) -> Result<Boot, VmmError> {
    let cmdline = Cmdline::new(&config.command_line())?;
    let kernel = load_kernel(loader, &opened.kernel, &config.boot_source.kernel, &ram)?;
    let initrd = opened.initrd.as_ref().zip(config.boot_source.initrd.as_deref());
    let initrd = initrd.map(|(file, path)| load_initrd(loader, file, path, &ram, kernel.end));
    let initrd = initrd.transpose()?;
    Ok(Boot { ram, cmdline, kernel, initrd })
}

fn load_kernel(
    loader: &mut Loader,
    kernel: &KernelFile,
    path: &Path,
    ram: &[Range<u64>],
) -> Result<Kernel, VmmError> {
    let KernelFile { file, may_be_mapped } = kernel;
    let kernel = native::parse_kernel(file, ram)
        .map_err(|error| VmmError::Kernel { file: path.to_owned(), error })?;
    let start = kernel.segments.first().map_or(kernel.end, |lowest| lowest.gpa);
    let mut read: Vec<Range<u64>> = Vec::new();
    if !may_be_mapped {
        // All is copied, and so is better off in large pages.
    } else if native::KERNEL_REWRITES_ITSELF {
        for segment in kernel.segments.iter().filter(|segment| !segment.writable) {
            read.push(only_read(file, segment).map_err(VmmError::file(path))?);
        }
        if read.iter().map(|range| range.end - range.start).sum::<u64>() > MOST_MAPPED {
            read.clear();
        }
    } else {
        read.push(start..kernel.end);
    }
    loader.expect_kernel(start..kernel.end, &read, native::BARELY_USED)?;
    for segment in &kernel.segments {
        let piece =
            Piece { gpa: segment.gpa, offset: segment.file_offset, length: segment.file_len };
        if *may_be_mapped {
            loader.load(file, path, piece)?;
        } else {
            loader.copy(file, path, piece)?;
        }
    }
    Ok(kernel)
}

/// The part of a read-only segment to which a kernel that rewrites itself does not write either. It comes behind the text, which
/// the linker has filled up to a large page with one byte: a little code that Linux maps by itself (`ALIGN_ENTRY_TEXT_BEGIN` in
/// arch/x86/kernel/vmlinux.lds.S), and data.
fn only_read(file: &File, segment: &Segment) -> io::Result<Range<u64>> {
    let Segment { gpa, file_offset, file_len, .. } = *segment;
    let mut page = [0; PAGE as usize];
    let mut is_padding = |at: u64| {
        file.read_exact_at(&mut page, file_offset + (at - gpa))?;
        Ok::<_, io::Error>(page.iter().all(|byte| *byte == page[0]))
    };
    let mut end = (gpa + PAGE).next_multiple_of(LARGE_PAGE as u64);
    while end <= gpa + file_len {
        if is_padding(end - PAGE)? {
            // The text ends somewhere in this large page.
            let start = gpa.max(end - LARGE_PAGE as u64) / PAGE * PAGE;
            let (mut text, mut padding) = (start, end - PAGE);
            while padding - text > PAGE {
                let middle = text + (padding - text) / PAGE / 2 * PAGE;
                let half = if is_padding(middle)? { &mut padding } else { &mut text };
                *half = middle;
            }
            return Ok(padding..gpa + file_len);
        }
        end += LARGE_PAGE as u64;
    }
    Ok(gpa..gpa + file_len)
}

fn load_initrd(
    loader: &mut Loader,
    file: &File,
    path: &Path,
    ram: &[Range<u64>],
    kernel_end: u64,
) -> Result<Initrd, VmmError> {
    let length = file.metadata().map_err(VmmError::file(path))?.len();
    let initrd = native::place_initrd(ram, kernel_end, length)
        .map_err(|error| VmmError::Initrd { file: path.to_owned(), error })?;
    loader.copy(file, path, Piece { gpa: initrd.gpa, offset: 0, length })?;
    Ok(initrd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_only_reads_what_comes_behind_the_padding_of_its_text() {
        const LARGE: u64 = LARGE_PAGE as u64;
        let file = tempfile::tempfile().unwrap();
        // One byte in each page but those of the third large page's second half, which begin at a page of the file.
        for page in 0..LARGE / PAGE * 5 / 2 {
            file.write_all_at(&[1], (page + 1) * PAGE + 7).unwrap();
        }
        file.set_len(5 * LARGE).unwrap();
        let segment = |file_len| Segment {
            gpa: 8 * LARGE,
            file_offset: PAGE,
            file_len,
            mem_len: 4 * LARGE,
            writable: false,
        };
        let (start, end) = (8 * LARGE, 11 * LARGE + 5 * PAGE);
        let padding = start + LARGE * 5 / 2;
        assert_eq!(only_read(&file, &segment(end - start)).unwrap(), padding..end);
        // It begins within a page, the last but two of a large page of which only the last is padding.
        let late = 11 * LARGE - 3 * PAGE + 16;
        let file_offset = LARGE * 5 / 2 - PAGE + 16;
        let late_segment = Segment { gpa: late, file_offset, ..segment(LARGE) };
        assert_eq!(only_read(&file, &late_segment).unwrap(), 11 * LARGE - PAGE..late + LARGE);
        // It ends before the padding does: nothing says where its text ends.
        let begun = only_read(&file, &segment(LARGE * 5 / 2 + PAGE)).unwrap();
        assert_eq!(begun, start..padding + PAGE);
    }
}
