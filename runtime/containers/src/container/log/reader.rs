//! Reading a log, also while it is written and rotated.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Entry, MAX_TEXT, file};
use crate::container::LogOptions;

/// The longest line: each byte of the text may need six (`\u001b`).
const MAX_LINE: u64 = 6 * MAX_TEXT as u64 + 256;

/// A block when reading backwards, in bytes.
const BLOCK: u64 = 64 << 10;

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// At the oldest entry.
    Start,
    /// So many entries before the end.
    Tail(u64),
}

/// Someone who reads it.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: Option<BufReader<File>>,
    /// There is a younger file: what this one does not hold now, it never will.
    is_full: bool,
    /// A line whose end is not written yet.
    begun: Vec<u8>,
    /// The line is too long to be one, and is read over.
    is_too_long: bool,
    /// Something was read over, and that was said.
    has_warned: bool,
}

impl Reader {
    /// Begins to read the log at `path`. One that is not there is empty.
    pub fn open(path: &Path, from: From) -> io::Result<Self> {
        let mut begin: Option<File> = None;
        let mut missing = match from {
            From::Start => u64::MAX,
            From::Tail(count) => count,
        };
        for file in files(path) {
            let mut file = file?;
            if let Some(seen) = &begin
                && is_same(seen, &file)?
            {
                // It was renamed between the two looks.
                continue;
            }
            let (start, found) = tail(&mut file, missing)?;
            file.seek(SeekFrom::Start(start))?;
            begin = Some(file);
            missing -= found.min(missing);
            if missing == 0 {
                break;
            }
        }
        Ok(Self {
            path: path.to_owned(),
            file: begin.map(BufReader::new),
            is_full: false,
            begun: Vec::new(),
            is_too_long: false,
            has_warned: false,
        })
    }

    /// The next entry, if it is there by now. What is no entry is left out, with a warning.
    pub fn entry(&mut self) -> io::Result<Option<Entry>> {
        loop {
            let Some(file) = &mut self.file else {
                self.file = open(&self.path)?.map(BufReader::new);
                if self.file.is_none() {
                    return Ok(None);
                }
                continue;
            };
            let room = MAX_LINE - self.begun.len() as u64;
            file.by_ref().take(room).read_until(b'\n', &mut self.begun)?;
            if self.begun.ends_with(b"\n") {
                let line = std::mem::take(&mut self.begun);
                let is_end_of_long = std::mem::take(&mut self.is_too_long);
                match serde_json::from_slice(&line) {
                    Ok(entry) if !is_end_of_long => return Ok(Some(entry)),
                    _ => self.warn_once(),
                }
            } else if self.begun.len() as u64 == MAX_LINE {
                self.is_too_long = true;
                self.begun.clear();
            } else if !self.is_full {
                // The end, for now. If there is a younger file, this one may have grown before that was begun.
                if younger(&self.path, file.get_ref())?.is_none() {
                    return Ok(None);
                }
                self.is_full = true;
            } else {
                let next = younger(&self.path, file.get_ref())?;
                self.file = next.map(BufReader::new);
                (self.is_full, self.is_too_long) = (false, false);
                self.begun.clear();
            }
        }
    }

    fn warn_once(&mut self) {
        if !self.has_warned {
            ::log::warn!("{}: a line that is no entry is left out", self.path.display());
            self.has_warned = true;
        }
    }
}

/// The files of a log, the youngest first. While they are renamed one is missing at times.
fn files(path: &Path) -> impl Iterator<Item = io::Result<File>> {
    let mut is_missing = false;
    let files = (0..=LogOptions::MAX_FILES).map_while(move |age| {
        let file = open(&file(path, age)).transpose();
        let is_second = std::mem::replace(&mut is_missing, file.is_none()) && file.is_none();
        (!is_second).then_some(file)
    });
    files.flatten()
}

/// The file that follows this one, if this one is written no more. One that was forgotten meanwhile is followed by the
/// oldest.
fn younger(path: &Path, present: &File) -> io::Result<Option<File>> {
    let mut next = None;
    for file in files(path) {
        let file = file?;
        if is_same(&file, present)? {
            break;
        }
        next = Some(file);
    }
    Ok(next)
}

/// Whether they are one file, whatever it is called by now.
fn is_same(one: &File, other: &File) -> io::Result<bool> {
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where the last `count` lines begin, and how many there are.
fn tail(file: &mut File, count: u64) -> io::Result<(u64, u64)> {
    let mut found = 0;
    let mut end = file.metadata()?.len();
    if count == 0 {
        return Ok((end, 0));
    }
    if count == u64::MAX {
        return Ok((0, 0));
    }
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        block.resize((end - start) as usize, 0);
        file.read_exact(&mut block)?;
        for (at, _) in block.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            // The line feed before the first line that is wanted.
            if found == count {
                return Ok((start + at as u64 + 1, count));
            }
            found += 1;
        }
        end = start;
    }
    Ok((0, found))
}
