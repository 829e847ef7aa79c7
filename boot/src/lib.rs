//! Kernel formats, command line, boot parameters and the initramfs writer.
//!
//! This room parses and plans. It never touches guest memory: what goes there is given back as
//! addresses with bytes, or with places in a file.

pub mod aarch64;
pub mod arm64_image;
pub mod bzimage;
pub mod cmdline;
pub mod cpio;
#[cfg(feature = "decompress")]
pub mod decompress;
pub mod elf;
pub mod x86_64;

mod initrd;
mod segment;
mod source;
#[cfg(test)]
mod testing;

pub use segment::Segment;
pub use source::ReadError;
