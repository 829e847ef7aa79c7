//! The guest's console: one line per event that a person should know of.

use std::fmt;
use std::io::Write;

/// Writes one line to the console, which the kernel gave to PID 1 as its standard error. A console that takes nothing
/// is no reason to fail: in PID 1 a panic would be the kernel's.
pub fn log(line: impl fmt::Display) {
    let _ = std::io::stderr().write_all(format!("guest-init: {line}\n").as_bytes());
}
