//! Our JSON files. People edit them, and damage them.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{ContainerError, failed};
use host::file::AtomicFile;

/// More than the longest command line and environment that Linux takes, as JSON.
const MAX_SIZE: u64 = 16 << 20;

/// What fits in a message, in letters.
const MAX_PROBLEM: usize = 300;

/// Read a file; what is wrong with it is said with the field.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ContainerError> {
    let damaged = |problem| ContainerError::Damaged { path: path.to_owned(), problem };
    let mut options = File::options();
    // Nobody waits for the other end of a pipe.
    options.read(true).custom_flags(libc::O_NONBLOCK);
    let file = options.open(path).map_err(failed("read", path))?;
    if !file.metadata().map_err(failed("read", path))?.is_file() {
        return Err(damaged("not a file".to_owned()));
    }
    let mut text = Vec::new();
    file.take(MAX_SIZE + 1).read_to_end(&mut text).map_err(failed("read", path))?;
    if text.len() as u64 > MAX_SIZE {
        return Err(damaged(format!("larger than {} MiB", MAX_SIZE >> 20)));
    }
    let mut json = serde_json::Deserializer::from_slice(&text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let problem = match error.path().to_string().as_str() {
            // The whole.
            "." => error.inner().to_string(),
            field => format!("{field}: {}", error.inner()),
        };
        damaged(one_line(&problem))
    })?;
    json.end().map_err(|error| damaged(error.to_string()))?;
    Ok(value)
}

/// Replace a file. The caller sees to it that no other process does.
pub fn write(path: &Path, value: &impl Serialize) -> Result<(), ContainerError> {
    let replace = || {
        let mut text = serde_json::to_vec_pretty(value)?;
        text.push(b'\n');
        let mut aside = AtomicFile::at(path.with_extension("json.new"))?;
        aside.file.write_all(&text)?;
        aside.commit(path)
    };
    replace().map_err(failed("write", path))
}

/// The error quotes the file, which may hold anything.
fn one_line(text: &str) -> String {
    let escape = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    text.chars().take(MAX_PROBLEM).map(escape).collect()
}
