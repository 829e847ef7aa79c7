//! A container's log: what it has said, and when, in docker's format (its json-file driver), a JSON object a line:
//!
//! ```text
//!   {"log":"hello\n","stream":"stdout","time":"2026-11-24T12:00:00.123456789Z"}
//! ```
//!
//! A file that is full becomes `….1`, that one `….2`, and so on; the oldest goes.

mod reader;
mod writer;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use reader::{From, Reader};
use serde::{Deserialize, Serialize};
pub use writer::Writer;

/// Where something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// A line, or a part of a very long one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The text, with its line feed if it has one. What is not UTF-8 in it is replaced, as docker does.
    pub log: String,
    /// Where it was said.
    pub stream: Stream,
    /// When: RFC 3339, in nanoseconds.
    pub time: String,
}

/// The longest text of an entry in bytes, docker's too.
const MAX_TEXT: usize = 16 << 10;

/// The file that was the present one `age` rotations ago.
fn file(path: &Path, age: u32) -> PathBuf {
    match age {
        0 => path.to_owned(),
        _ => {
            let mut path = path.as_os_str().to_owned();
            path.push(format!(".{age}"));
            path.into()
        }
    }
}

/// Gives each file the name of the next older one; the oldest of `max_file` files goes. At `path` there is none then.
pub(crate) fn rotate(path: &Path, max_file: u32) -> io::Result<()> {
    for age in (1..max_file).rev() {
        match fs::rename(file(path, age - 1), file(path, age)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    if max_file == 1 {
        // Its words are forgotten. Who reads it sees that there is another file.
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Removes the older files.
pub(crate) fn remove_older(path: &Path) {
    let _ = (1..).map(|age| fs::remove_file(file(path, age))).take_while(Result::is_ok).count();
}

#[cfg(test)]
mod tests;
