//! The checks of the source text: its format, and what the compiler and clippy have to say.

use super::tally::Tally;
use crate::arch::Arch;
use crate::cargo;
use crate::error::Error;
use crate::tool;
use crate::toolchain::Toolchain;

/// `cargo fmt --check`.
pub fn format() -> Result<Tally, Error> {
    // The fuzzer's workspace is one of its own.
    for rest in [&["--all"][..], &["--manifest-path", "fuzz/Cargo.toml"]] {
        let mut command = cargo::command(&["fmt", "--check"]);
        tool::run("checking the format", command.args(rest))?;
    }
    Ok(Tally::one_passed())
}

/// `cargo clippy` for `arch`, without any warning.
pub fn lint(arch: Arch) -> Result<Tally, Error> {
    let [linux, freestanding] = [Toolchain::linux(arch)?, Toolchain::freestanding(arch)?];
    if !(linux.has_clippy() && freestanding.has_clippy()) {
        let skipped = format!("for {}: there is no clippy for Debian's compiler", arch.name());
        return Ok(Tally { skipped: vec![skipped], ..Tally::default() });
    }
    let all = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    let guest = ["clippy", "--package", "bulkhead-bare-guest", "--quiet", "--", "-D", "warnings"];
    // What is for this machine is built without a target of its own, as its tests are.
    let all = if arch == Arch::NATIVE { cargo::command(&all) } else { linux.cargo(&all) };
    for mut command in [all, freestanding.cargo(&guest)] {
        tool::run("looking for lints", &mut command)?;
    }
    Ok(Tally::one_passed())
}
