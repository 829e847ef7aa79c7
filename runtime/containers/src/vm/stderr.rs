//! Standard error, to which a VM's words are passed on: a terminal's, or a file that is bounded as a container's log is.
//!
//! It is the whole process's, and so is its bound.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::OnceLock;

use rustix::fs::fstat;
use rustix::stdio::{dup2_stderr, stderr};

use crate::container::{LogOptions, log};

/// The file, and how large it may become.
static BOUND: OnceLock<(PathBuf, LogOptions)> = OnceLock::new();

/// Says that standard error is the file at `path`, which is rotated from now on before it becomes too large.
pub fn bound(path: PathBuf, options: LogOptions) {
    let _ = BOUND.set((path, options));
}

/// Writes there. One that is closed, or a full disk, is no reason to stop a guest.
pub fn write(bytes: &[u8]) {
    let mut out = io::stderr().lock();
    if let Some((path, options)) = BOUND.get() {
        let size = fstat(stderr()).map_or(0, |stat| stat.st_size as u64);
        if size > 0 && size + bytes.len() as u64 > options.max_size {
            let next = || {
                log::rotate(path, options.max_file)?;
                File::options().append(true).create(true).open(path)
            };
            // Without the next file this one is not written to any more either.
            let Ok(next) = next() else { return };
            let _ = dup2_stderr(next);
        }
    }
    let _ = out.write_all(bytes);
}
