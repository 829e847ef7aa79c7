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

    /// Says that a kernel will fill much of RAM below this guest physical address. It writes to most of what is in
    /// `written`, stretches by rising address: the large pages that lie wholly in there are asked for, and get copies
    /// of its file. Elsewhere the file's pages leave nothing that is worth a large page.
    pub fn expect_kernel(&mut self, written: &[Range<u64>], end: u64) -> Result<(), MemoryError> {
        let first = self.memory.iter().next();
        let Some(first) = first.filter(|_| self.huge_pages == HugePages::None) else {
            return Ok(());
        };
        let start = first.start_addr().0;
        let end = end.next_multiple_of(LARGE_PAGE as u64).min(start + first.len());
        ram::advise(self.memory, start..end, Advice::LinuxNoHugepage)?;
        self.large = whole_large_pages(written);
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

    /// Puts a piece of `file` (whose name is `name`) into guest memory.
    pub fn load(&mut self, file: &File, name: &Path, piece: Piece) -> Result<(), MemoryError> {
        self.place_parts(file, name, piece).map_err(|error| MemoryError::Load {
            file: name.to_owned(),
            offset: piece.offset,
            length: piece.length,
            error,
        })
    }

    fn place_parts(&mut self, file: &File, name: &Path, piece: Piece) -> Result<(), LoadProblem> {
        // Who wants large pages wants the files in them too; and a page of the reserve can't be replaced in part.
        if self.huge_pages != HugePages::None {
            return self.copy(file, piece);
        }
        let mut rest = piece;
        while rest.length > 0 {
            let (length, large) = self.stretch(rest);
            let part = Piece { length, ..rest };
            if large {
                self.copy(file, part)?
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
            return self.copy(file, piece);
        }
        let head = whole.gpa - piece.gpa;
        self.copy(file, Piece { length: head, ..piece })?;
        overlay::map(self.memory, whole.gpa, whole.length, file, whole.offset)?;
        self.loaded.mapped += whole.length;
        self.copy(file, piece.after(head + whole.length))
    }

    fn copy(&mut self, mut file: &File, piece: Piece) -> Result<(), LoadProblem> {
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

/// The large pages that `stretches`, by rising address, fill; a gap of less than a page in between does not count.
fn whole_large_pages(stretches: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::new();
    for stretch in stretches {
        match joined.last_mut() {
            Some(last) if stretch.start < last.end + PAGE => last.end = stretch.end,
            _ => joined.push(stretch.clone()),
        }
    }
    let size = LARGE_PAGE as u64;
    let whole =
        joined.iter().map(|joined| joined.start.next_multiple_of(size)..joined.end / size * size);
    whole.filter(|range| !range.is_empty()).collect()
}
