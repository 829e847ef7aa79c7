//! Writing a log.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Entry, MAX_TEXT, Stream, rotate};
use crate::container::{LogOptions, now};
use host::time;

/// The one who writes it.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    options: LogOptions,
    file: File,
    size: u64,
    /// Whether the last line is not whole: the machine was switched off, or the disk was full.
    torn: bool,
    /// Of each stream, the line that has not ended yet.
    begun: [Vec<u8>; 2],
}

impl Writer {
    /// Goes on with the log at `path`.
    pub fn open(path: &Path, options: LogOptions) -> io::Result<Self> {
        let file = File::options().read(true).append(true).create(true).open(path)?;
        let size = file.metadata()?.len();
        let mut last = [b'\n'];
        if size > 0 {
            file.read_exact_at(&mut last, size - 1)?;
        }
        let (path, torn) = (path.to_owned(), last != [b'\n']);
        Ok(Self { path, options, file, size, torn, begun: Default::default() })
    }

    /// Notes what was said. A line is written when it is whole.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) -> io::Result<()> {
        let mut begun = std::mem::take(&mut self.begun[stream as usize]);
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            let mut part = part;
            while begun.len() + part.len() > MAX_TEXT {
                let (now, later) = part.split_at(MAX_TEXT - begun.len());
                begun.extend(now);
                part = later;
                // Not in the middle of a character.
                let rest = begun.split_off(whole_characters(&begun));
                self.entry(stream, &begun)?;
                begun = rest;
            }
            begun.extend(part);
            if begun.ends_with(b"\n") {
                self.entry(stream, &begun)?;
                begun.clear();
            }
        }
        self.begun[stream as usize] = begun;
        Ok(())
    }

    /// The stream has ended, perhaps in the middle of a line.
    pub fn end(&mut self, stream: Stream) -> io::Result<()> {
        let begun = std::mem::take(&mut self.begun[stream as usize]);
        if begun.is_empty() { Ok(()) } else { self.entry(stream, &begun) }
    }

    fn entry(&mut self, stream: Stream, text: &[u8]) -> io::Result<()> {
        let log = String::from_utf8_lossy(text).into_owned();
        let mut line = serde_json::to_vec(&Entry { log, stream, time: time::show(now()) })?;
        line.push(b'\n');
        if self.size > 0 && self.size + line.len() as u64 > self.options.max_size {
            self.rotate()?;
        }
        if self.torn {
            line.insert(0, b'\n');
        }
        self.torn = true;
        self.file.write_all(&line)?;
        self.torn = false;
        self.size += line.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        rotate(&self.path, self.options.max_file)?;
        self.file = File::options().append(true).create(true).open(&self.path)?;
        (self.size, self.torn) = (0, false);
        Ok(())
    }
}

/// How many of the bytes are whole characters, or no characters at all: up to the one that is cut off at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
        _ => bytes.len(),
    }
}
