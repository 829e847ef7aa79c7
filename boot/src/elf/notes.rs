//! Notes: how a kernel says that it can be entered by PVH.

use super::error::ElfError;
use super::format::NoteHeader;
use zerocopy::FromBytes;

/// `XEN_ELFNOTE_PHYS32_ENTRY` (Xen public/elfnote.h): a physical address to enter in 32-bit mode.
const PHYS32_ENTRY: u32 = 18;
/// The owner of that note.
const XEN: &[u8] = b"Xen\0";

/// Finds the PVH entry point in the bytes of a note segment that starts at `start` in the file.
pub fn pvh_entry(notes: &[u8], start: u64, align: u64) -> Result<Option<u32>, ElfError> {
    // gABI: 8 in 64-bit files; in practice 4 unless the segment says 8.
    let align = if align == 8 { 8 } else { 4 };
    let mut at = 0;
    while at < notes.len() {
        let outside = || ElfError::NoteOutside { offset: start + at as u64 };
        let (header, rest) = NoteHeader::read_from_prefix(&notes[at..]).map_err(|_| outside())?;
        let name_size = header.name_size.get() as usize;
        let descriptor_size = header.descriptor_size.get() as usize;
        let descriptor_at =
            (size_of::<NoteHeader>() + name_size).next_multiple_of(align) - size_of::<NoteHeader>();
        let name = rest.get(..name_size).ok_or_else(outside)?;
        let descriptor = rest
            .get(descriptor_at..)
            .and_then(|rest| rest.get(..descriptor_size))
            .ok_or_else(outside)?;
        if header.kind.get() == PHYS32_ENTRY && name == XEN {
            return address(descriptor, start + at as u64).map(Some);
        }
        at += size_of::<NoteHeader>() + descriptor_at + descriptor_size.next_multiple_of(align);
    }
    Ok(None)
}

/// The note's descriptor: four bytes, or eight from a 64-bit assembler.
fn address(descriptor: &[u8], offset: u64) -> Result<u32, ElfError> {
    let entry = match descriptor.len() {
        4 | 8 => descriptor.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte)),
        len => return Err(ElfError::PvhNoteSize { offset, len }),
    };
    u32::try_from(entry).map_err(|_| ElfError::PvhEntryHigh { entry })
}
