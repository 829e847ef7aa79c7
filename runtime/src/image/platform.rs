//! Which images this machine can run.

use oci_spec::image::{Arch, Os};

/// The architecture of the guests that this machine runs, in Go's words (OCI image specification, "platform").
pub fn wanted_architecture() -> Arch {
    match std::env::consts::ARCH {
        "x86_64" => Arch::Amd64,
        "aarch64" => Arch::ARM64,
        other => Arch::Other(other.to_owned()),
    }
}

/// What this machine runs, for messages.
pub fn wanted() -> String {
    format!("linux/{}", wanted_architecture())
}

/// Whether this machine runs images for `os` and `architecture`.
pub fn runs(os: &Os, architecture: &Arch) -> bool {
    *os == Os::Linux && *architecture == wanted_architecture()
}
