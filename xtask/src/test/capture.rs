//! What a program under test prints.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;

use crate::error::{Doing, Error};
use crate::host::Stdio;

/// A program's exit status and its whole output.
pub struct Ended {
    /// Its exit status, or 128 + n for signal n.
    pub status: i32,
    /// Standard output and standard error, as they came.
    pub output: String,
}

/// A file without a name that takes a program's output.
pub struct Capture(File);

impl Capture {
    /// An empty one, and a program's streams.
    pub fn new() -> Result<(Capture, Stdio), Error> {
        let doing = || "make a temporary file".to_owned();
        let file = tempfile::tempfile().doing(doing)?;
        let copy = || file.try_clone().map(OwnedFd::from).doing(doing);
        let stdin = File::open("/dev/null").doing(doing)?.into();
        let stdio = Stdio { stdin, stdout: copy()?, stderr: copy()? };
        Ok((Capture(file), stdio))
    }

    /// What it took.
    pub fn read(mut self) -> Result<String, Error> {
        let mut bytes = Vec::new();
        let result = self.0.rewind().and_then(|()| self.0.read_to_end(&mut bytes));
        result.doing(|| "read a test's output".into())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}
