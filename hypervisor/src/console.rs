//! The person's side of the serial console: stdin and stdout of this process.

mod input;
mod terminal;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

pub use input::Input;
pub use terminal::Terminal;

/// Standard output without a buffer: what the guest sends is there at once.
pub fn output() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}
