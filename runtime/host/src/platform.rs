//! What a guest runs: Linux, on one of two architectures.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A platform, in the words of images and of docker's `--platform` (OCI image specification, "platform").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Platform {
    /// x86_64.
    #[serde(rename = "linux/amd64")]
    Amd64,
    /// aarch64.
    #[serde(rename = "linux/arm64")]
    Arm64,
}

impl Platform {
    /// That of the guests that this machine runs.
    pub const NATIVE: Platform =
        if cfg!(target_arch = "aarch64") { Platform::Arm64 } else { Platform::Amd64 };

    /// Whether it runs images for `os` and `architecture`, in the words of images.
    pub fn runs(self, os: impl fmt::Display, architecture: impl fmt::Display) -> bool {
        self.to_string() == format!("{os}/{architecture}")
    }

    /// The architecture in the words of the kernel and of compilers.
    pub fn architecture(self) -> &'static str {
        match self {
            Platform::Amd64 => "x86_64",
            Platform::Arm64 => "aarch64",
        }
    }

    /// The architecture of an ELF file's programs, from its first 20 bytes (System V ABI, "ELF Header"); `None` for
    /// another file, and for another architecture.
    pub fn of_elf(start: &[u8]) -> Option<Platform> {
        /// `e_machine` in a little-endian 64-bit file.
        const X86_64: [u8; 2] = 62u16.to_le_bytes();
        const AARCH64: [u8; 2] = 183u16.to_le_bytes();
        if !start.starts_with(b"\x7fELF\x02\x01") {
            return None;
        }
        match start.get(18..20)?.try_into() {
            Ok(X86_64) => Some(Platform::Amd64),
            Ok(AARCH64) => Some(Platform::Arm64),
            _ => None,
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Platform::Amd64 => "linux/amd64",
            Platform::Arm64 => "linux/arm64",
        })
    }
}
