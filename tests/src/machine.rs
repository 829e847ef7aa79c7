//! The kind of machine that the tests run on, and the other kind.

use crate::arm64_image::Arm64Image;
use crate::elf::{Elf, Segment};

/// A kind of machine.
pub struct Machine {
    /// Its architecture in the kernel's words.
    pub architecture: &'static str,
    /// The same in the words of images.
    pub image_architecture: &'static str,
    /// Its serial port.
    pub console: &'static str,
    /// `e_machine` of its programs (System V ABI, "ELF Header").
    pub elf: u16,
    /// The name of the file of a kernel that it boots.
    pub kernel_name: &'static str,
    /// A kernel for it that takes so many bytes of memory, and with which nothing else is wrong yet.
    pub kernel: fn(u64) -> Vec<u8>,
}

const X86_64: Machine = Machine {
    architecture: "x86_64",
    image_architecture: "amd64",
    console: "ttyS0",
    elf: 62,
    kernel_name: "vmlinux",
    kernel: |size| {
        let segment = Segment { mem_len: size, ..Elf::new().segments[0] };
        Elf { segments: vec![segment], ..Elf::new() }.to_bytes()
    },
};

const AARCH64: Machine = Machine {
    architecture: "aarch64",
    image_architecture: "arm64",
    console: "ttyAMA0",
    elf: 183,
    kernel_name: "Image",
    kernel: |size| Arm64Image { image_size: size, ..Arm64Image::new() }.to_bytes(),
};

/// This machine's kind, which is also its guests'.
pub const HERE: Machine = if cfg!(target_arch = "aarch64") { AARCH64 } else { X86_64 };

/// The other kind.
pub const ELSEWHERE: Machine = if cfg!(target_arch = "aarch64") { X86_64 } else { AARCH64 };

impl Machine {
    /// What it runs, as docker's `--platform` has it.
    pub fn platform(&self) -> String {
        format!("linux/{}", self.image_architecture)
    }
}
