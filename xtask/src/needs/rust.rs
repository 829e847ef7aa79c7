//! The compiler's targets: static binaries for guests, and the freestanding one.

use std::process::Command;

use crate::error::Error;
use crate::tool;

/// Whether the standard library (or core) for `target` is installed.
pub fn has_target(target: &str) -> bool {
    let arguments = ["--print", "target-libdir", "--target", target];
    tool::run("asking rustc", Command::new("rustc").args(arguments))
        .is_ok_and(|dir| std::path::Path::new(dir.trim()).is_dir())
}

/// Installs `target`, with rustup.
pub fn add_target(target: &str) -> Result<(), Error> {
    if has_target(target) {
        return Ok(());
    }
    let message = format!("installing the Rust target {target}");
    tool::run(&message, Command::new("rustup").args(["target", "add", target])).map(drop)
}
