//! The two architectures, and what each is called where.

use clap::ValueEnum;
use host::platform::Platform;

/// The architecture of a guest, and of the programs around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arch {
    /// A PC.
    #[value(name = "x86_64")]
    X86_64,
    /// A 64-bit Arm machine.
    Aarch64,
}

impl Arch {
    /// This machine's.
    pub const NATIVE: Arch =
        if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 };

    /// As the kernel (`uname -m`) and [`std::env::consts::ARCH`] have it.
    pub fn name(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        }
    }

    /// As Debian has it.
    pub fn debian(self) -> &'static str {
        match self {
            Arch::X86_64 => "amd64",
            Arch::Aarch64 => "arm64",
        }
    }

    /// As images have it.
    pub fn platform(self) -> Platform {
        match self {
            Arch::X86_64 => Platform::Amd64,
            Arch::Aarch64 => Platform::Arm64,
        }
    }

    /// The compiler's target for static Linux binaries.
    pub fn musl(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64-unknown-linux-musl",
            Arch::Aarch64 => "aarch64-unknown-linux-musl",
        }
    }

    /// The compiler's target with Debian's C library, which can be linked statically too.
    pub fn gnu(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64-unknown-linux-gnu",
            Arch::Aarch64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// The compiler's target for the bare guest: no operating system.
    pub fn bare(self) -> &'static str {
        match self {
            Arch::X86_64 => "x86_64-unknown-none",
            Arch::Aarch64 => "aarch64-unknown-none",
        }
    }
}
