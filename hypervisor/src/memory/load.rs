//! Files into guest memory: mapped where whole pages line up, else copied, and counted.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use devices::GuestMemory;
use rustix::mm::Advice;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryRegion};

use super::{LARGE_PAGE, LoadProblem, MemoryError, PAGE, overlay, ram};
use crate::config::HugePages;

/// Fewer whole pages than these are copied: to map them costs a system call, a split of the
/// guest's mapping and a page fault each, which is more than to copy them.
const LEAST_MAPPED: u64 = 16 * PAGE;

/// A stretch of a file and its place in guest memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Guest physical address.
    pub gpa: u64,
    /// Offset in the file.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
}

/// How many bytes got into guest memory, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Bytes of files that were mapped.
    pub mapped: u64,
    /// Bytes that were copied, boot tables included.
    pub copied: u64,
}

/// Fills guest memory before the guest runs, and keeps count.
///
/// What lies between and after the pieces (a kernel's `.bss`) needs no work: fresh guest memory
/// is zero.
pub struct Loader<'a> {
    memory: &'a GuestMemory,
    /// What it is made of.
    huge_pages: HugePages,
    /// Where large pages were asked for, for a kernel's sake.
    large: Vec<Range<u64>>,
    loaded: Loaded,
}

impl<'a> Loader<'a> {
    /// A loader into `memory`, which consists of `huge_pages`.
    pub fn new(memory: &'a GuestMemory, huge_pages: HugePages) -> Self {
        Loader { memory, huge_pages, large: Vec::new(), loaded: Loaded::default() }
    }

    /// Says that a kernel lies at these guest physical addresses, and what of that it only reads, by rising address; to
    /// the rest it writes, or gives it to whoever asks for memory. Of its large pages those are asked for, and get copies
    /// of its file, that are no more than half read. Under it, it uses nearly nothing of `barely_used`, bytes from the start of RAM.
    pub fn expect_kernel(
        &mut self,
        at: Range<u64>,
        read: &[Range<u64>],
        barely_used: Range<u64>,
    ) -> Result<(), MemoryError> {
        let first = self.memory.iter().next();
        let Some(first) = first.filter(|_| self.huge_pages == HugePages::None) else {
            return Ok(());
        };
        let ram = first.start_addr().0..first.start_addr().0 + first.len();
        let size = LARGE_PAGE as u64;
        let kernel = at.start / size * size..at.end.next_multiple_of(size).min(ram.end);
        let barely_used =
            ram.start + barely_used.start..kernel.start.min(ram.start + barely_used.end);
        for small in [barely_used, kernel].into_iter().filter(|small| !small.is_empty()) {
            ram::advise(self.memory, small, Advice::LinuxNoHugepage)?;
        }
        self.large = large_pages(at.start..at.end.min(ram.end), read);
        let advise =
            |range: &Range<u64>| ram::advise(self.memory, range.clone(), Advice::LinuxHugepage);
        self.large.iter().try_for_each(advise)
    }

    /// What was loaded so far.
    pub fn loaded(&self) -> Loaded {
        self.loaded
    }

    /// Copies a table to guest memory.
    pub fn write(&mut self, gpa: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        self.memory
            .write_slice(bytes, GuestAddress(gpa))
            .map_err(|_| MemoryError::Write { gpa, length: bytes.len() })?;
        self.loaded.copied += bytes.len() as u64;
        Ok(())
    }

    /// Puts a piece of `file` (whose name is `name`) into guest memory, mapped where that is worth it.
    pub fn load(&mut self, file: &File, name: &Path, piece: Piece) -> Result<(), MemoryError> {
        self.place_parts(file, name, piece).map_err(failure(name, piece))
    }

    /// Copies a piece of `file` (whose name is `name`): the guest will write where it lies.
    pub fn copy(&mut self, file: &File, name: &Path, piece: Piece) -> Result<(), MemoryError> {
        self.read(file, piece).map_err(failure(name, piece))
    }

    fn place_parts(&mut self, file: &File, name: &Path, piece: Piece) -> Result<(), LoadProblem> {
        // Who wants large pages wants the files in them too; and a page of the reserve can't be replaced in part.
        if self.huge_pages != HugePages::None {
            return self.read(file, piece);
        }
        let mut rest = piece;
        while rest.length > 0 {
            let (length, large) = self.stretch(rest);
            let part = Piece { length, ..rest };
            if large {
                self.read(file, part)?
            } else {
                self.place(file, name, part)?
            }
            rest = rest.after(length);
        }
        Ok(())
    }

    /// How much of the piece's beginning has pages of one size, and whether they are the large ones.
    fn stretch(&self, piece: Piece) -> (u64, bool) {
        let next = self.large.iter().find(|range| range.end > piece.gpa);
        let Some(next) = next else { return (piece.length, false) };
        let large = next.start <= piece.gpa;
        let end = if large { next.end } else { next.start };
        (piece.length.min(end - piece.gpa), large)
    }

    fn place(&mut self, file: &File, name: &Path, piece: Piece) -> Result<(), LoadProblem> {
        let whole = piece.whole_pages();
        if whole.length < LEAST_MAPPED {
            if piece.length >= 2 * LEAST_MAPPED {
                log::info!(
                    "{}: {} bytes are copied, not mapped: file offset {:#x} and guest address \
                     {:#x} differ in their place in a page",
                    name.display(),
                    piece.length,
                    piece.offset,
                    piece.gpa
                );
            }
            return self.read(file, piece);
        }
        let head = whole.gpa - piece.gpa;
        self.read(file, Piece { length: head, ..piece })?;
        overlay::map(self.memory, whole.gpa, whole.length, file, whole.offset)?;
        self.loaded.mapped += whole.length;
        self.read(file, piece.after(head + whole.length))
    }

    fn read(&mut self, mut file: &File, piece: Piece) -> Result<(), LoadProblem> {
        if piece.length == 0 {
            return Ok(());
        }
        file.seek(SeekFrom::Start(piece.offset))?;
        let address = GuestAddress(piece.gpa);
        self.memory.read_exact_volatile_from(address, &mut file, piece.length as usize)?;
        self.loaded.copied += piece.length;
        Ok(())
    }
}

impl Piece {
    /// The part of it that fills pages of guest memory with pages of the file; its length is 0
    /// where there is none.
    fn whole_pages(self) -> Piece {
        let start = self.gpa.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
        let end = self.gpa.saturating_add(self.length) / PAGE * PAGE;
        let offset = self.offset.saturating_add(start - self.gpa);
        let length = if offset.is_multiple_of(PAGE) { end.saturating_sub(start) } else { 0 };
        Piece { gpa: start, offset, length }
    }

    /// What follows its first `length` bytes.
    fn after(self, length: u64) -> Piece {
        Piece { gpa: self.gpa + length, offset: self.offset + length, length: self.length - length }
    }
}

/// The large pages that lie wholly in a kernel and of which it does more than read half; those side by side are one stretch.
fn large_pages(kernel: Range<u64>, read: &[Range<u64>]) -> Vec<Range<u64>> {
    let size = LARGE_PAGE as u64;
    let mut large: Vec<Range<u64>> = Vec::new();
    for page in kernel.start.div_ceil(size)..kernel.end / size {
        let page = page * size..(page + 1) * size;
        let common =
            |read: &Range<u64>| read.end.min(page.end).saturating_sub(read.start.max(page.start));
        if read.iter().map(common).sum::<u64>() > size / 2 {
            continue;
        }
        match large.last_mut() {
            Some(last) if last.end == page.start => last.end = page.end,
            _ => large.push(page),
        }
    }
    large
}

/// What to say when a piece of the file `name` did not get into memory.
fn failure(name: &Path, piece: Piece) -> impl FnOnce(LoadProblem) -> MemoryError {
    let Piece { offset, length, .. } = piece;
    move |error| MemoryError::Load { file: name.to_owned(), offset, length, error }
}
