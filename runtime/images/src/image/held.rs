//! Whether an image holds the bytes of a layer that the cache has already.
//!
//! In the cache a layer is called by the digest of its tar. A digest is a name, and proves nothing about who says it: an image
//! that names a layer of another one, and holds something else, would be given that one's files. So before the cache's layer
//! is taken for the image's, the image's own bytes are read and their digest compared, once: what was compared is noted by the
//! state of the file and the place in it (an empty file in the cache). A note that is lost costs this reading, no more.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use super::compression::Decompressor;
use super::files::{Files, OpenFile};
use super::{ImageError, LayerData};
use host::cache::{Cache, Folder};
use host::digest::{Digest, DigestReader, Mismatch};

/// The bytes of a layer in a file of an image, as the file is now.
pub struct Held {
    file: OpenFile,
    diff_id: Digest,
    note: PathBuf,
}

/// What is wrong with them.
pub enum Wrong {
    Read(io::Error),
    Bytes(Mismatch),
}

impl Held {
    /// Of a layer that is called by a digest which the image only says; any other's digest is that of its own bytes.
    pub fn of(cache: &Cache, layer: &LayerData) -> Result<Option<Self>, ImageError> {
        let LayerData::Packed { files, path, diff_id, .. } = layer else { return Ok(None) };
        let (file, state) = files.open_with_state(path)?;
        let state: Vec<u8> = state.iter().flat_map(|number| number.to_le_bytes()).collect();
        let name = Digest::of(&[&state[..], &diff_id.0].concat()).hex();
        let note = cache.path(Folder::Held, &name);
        Ok(Some(Self { file, diff_id: *diff_id, note }))
    }

    /// Compares them, unless they were; they may unpack to at most `limit` bytes.
    pub fn check(self, limit: u64) -> Result<(), Wrong> {
        if self.note.is_file() {
            return Ok(());
        }
        let Self { file, diff_id: expected, note } = self;
        let tar = io::Read::take(Decompressor::new(file).map_err(Wrong::Read)?, limit);
        let mut tar = DigestReader::new(tar);
        io::copy(&mut tar, &mut io::sink()).map_err(Wrong::Read)?;
        let actual = tar.finish().0;
        if actual != expected {
            return Err(Wrong::Bytes(Mismatch::Digest { expected, actual }));
        }
        write(&note);
        Ok(())
    }

    /// They were compared while they were unpacked.
    pub fn note(self) {
        write(&self.note);
    }
}

fn write(note: &PathBuf) {
    if let Err(error) = File::create(note) {
        log::debug!("{}: cannot note which bytes were read: {error}", note.display());
    }
}

/// Numbers of which one changes with the file's bytes: its stamp, and where in it they are.
pub type State = [u64; 13];

impl Files {
    /// A file, and which state of which bytes it is.
    fn open_with_state(&self, name: &str) -> Result<(OpenFile, State), ImageError> {
        let file = self.open(name)?;
        let failed = |source| self.failed(name, source);
        let mut state = [0; 13];
        match self {
            Self::Archive(archive) => {
                state[..11].copy_from_slice(&archive.stamp);
                state[11] = archive.find(name).map_or(0, |data| data.start);
            }
            Self::Directory(_) => {
                let metadata = file.get_ref().metadata().map_err(failed)?;
                state[..11].copy_from_slice(&host::stamp::stamp(&metadata));
            }
        }
        state[12] = file.limit();
        Ok((file, state))
    }
}
