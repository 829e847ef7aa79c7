//! Reading a log, also while it is written and rotated.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Entry, MAX_TEXT, file};

/// The longest line: each byte of the text may need six (`\u001b`).
const MAX_LINE: u64 = 6 * MAX_TEXT as u64 + 256;

/// How many rotated files are looked for.
const MAX_AGE: u32 = 1000;

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
    /// A line whose end is not written yet.
    begun: Vec<u8>,
}

impl Reader {
    /// Begins to read the log at `path`. One that is not there is empty.
    pub fn open(path: &Path, from: From) -> io::Result<Self> {
        let mut files = Vec::new();
        let mut missing = u64::MAX;
        if let From::Tail(count) = from {
            missing = count;
        }
        for age in 0..MAX_AGE {
            let Some(mut file) = open(&file(path, age))? else { break };
            let (start, found) = tail(&mut file, missing)?;
            file.seek(SeekFrom::Start(start))?;
            files.push(file);
            missing -= found.min(missing);
            if missing == 0 {
                break;
            }
        }
        let file = files.pop().map(BufReader::new);
        Ok(Self { path: path.to_owned(), file, begun: Vec::new() })
    }

    /// The next entry, if it is there by now.
    pub fn entry(&mut self) -> io::Result<Option<Entry>> {
        loop {
            let Some(file) = &mut self.file else {
                self.file = open(&self.path)?.map(BufReader::new);
                if self.file.is_none() {
                    return Ok(None);
                }
                continue;
            };
            let room = MAX_LINE.saturating_sub(self.begun.len() as u64);
            file.by_ref().take(room).read_until(b'\n', &mut self.begun)?;
            if self.begun.ends_with(b"\n") {
                let line = std::mem::take(&mut self.begun);
                return Ok(Some(serde_json::from_slice(&line)?));
            }
            if self.begun.len() as u64 >= MAX_LINE {
                let message = format!("{}: a line is too long", self.path.display());
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            // The end of this file: perhaps there is a younger one.
            let Some(next) = younger(&self.path, self.file.as_ref())? else { return Ok(None) };
            self.begun.clear();
            self.file = Some(BufReader::new(next));
        }
    }
}

/// The file that follows this one, if this one is written no more. One that was forgotten meanwhile is followed by the oldest.
fn younger(path: &Path, present: Option<&BufReader<File>>) -> io::Result<Option<File>> {
    let Some(present) = present else { return Ok(None) };
    let inode = present.get_ref().metadata()?.ino();
    let mut next = None;
    for age in 0..MAX_AGE {
        match open(&file(path, age))? {
            Some(file) if file.metadata()?.ino() == inode => break,
            Some(file) => next = Some(file),
            None => break,
        }
    }
    Ok(next)
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
