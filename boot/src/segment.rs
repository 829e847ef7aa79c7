//! A part of a kernel file, and its place in guest memory.

/// A run of bytes of the file that goes to guest memory; zeros follow it up to `mem_len`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Guest physical address.
    pub gpa: u64,
    /// Where its bytes are in the file.
    pub file_offset: u64,
    /// How many bytes the file has.
    pub file_len: u64,
    /// How many bytes it takes in guest memory.
    pub mem_len: u64,
    /// Whether the kernel writes there, by its own word. A kernel that rewrites itself writes to its text as well.
    pub writable: bool,
}

impl Segment {
    /// First address past the segment. Whoever makes one makes sure that it does not wrap.
    pub(crate) fn end(&self) -> u64 {
        self.gpa + self.mem_len
    }
}
