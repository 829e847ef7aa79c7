//! Whether an image holds the bytes of a layer that the cache has already.
//!
//! In the cache a layer is called by the digest of its tar. A digest is a name, and proves nothing about who says it: an image
//! that names a layer of another one, and holds something else, would be given that one's files. So before the cache's layer
//! is taken for the image's, the image's own bytes are read and their digest compared, once: what was compared is noted by the
//! state of the file and the place in it (see [`Cache::note`]). A note that is lost costs this reading, no more.

use std::io;

use super::compression::Decompressor;
use super::files::{Files, OpenFile};
use super::{ImageError, LayerData};
use host::cache::Cache;
use host::digest::{Digest, DigestReader, Mismatch};

/// The bytes of a layer in a file of an image, as the file is now.
pub struct Held<'a> {
    file: OpenFile,
    diff_id: Digest,
    cache: &'a Cache,
    note: String,
}

/// What is wrong with them.
pub enum Wrong {
    Read(io::Error),
    Bytes(Mismatch),
}

impl<'a> Held<'a> {
    /// Of a layer that is called by a digest which the image only says; any other's digest is that of its own bytes.
    pub fn of(cache: &'a Cache, layer: &LayerData) -> Result<Option<Self>, ImageError> {
        let LayerData::Packed { files, path, diff_id, .. } = layer else { return Ok(None) };
        let (file, state) = files.open_with_state(path)?;
        let state: Vec<u8> = state.iter().flat_map(|number| number.to_le_bytes()).collect();
        let note = Digest::of(&[&state[..], &diff_id.0].concat()).hex();
        Ok(Some(Self { file, diff_id: *diff_id, cache, note }))
    }

    /// Compares them, unless they were; they may unpack to at most `limit` bytes.
    pub fn check(self, limit: u64) -> Result<(), Wrong> {
        if self.cache.is_noted(&self.note) {
            return Ok(());
        }
        let Self { file, diff_id: expected, cache, note } = self;
        let tar = io::Read::take(Decompressor::new(file).map_err(Wrong::Read)?, limit);
        let mut tar = DigestReader::new(tar);
        io::copy(&mut tar, &mut io::sink()).map_err(Wrong::Read)?;
        let actual = tar.finish().0;
        if actual != expected {
            return Err(Wrong::Bytes(Mismatch::Digest { expected, actual }));
        }
        note_down(cache, &note);
        Ok(())
    }

    /// They were compared while they were unpacked.
    pub fn note(self) {
        note_down(self.cache, &self.note);
    }
}

fn note_down(cache: &Cache, note: &str) {
    if let Err(error) = cache.note(note) {
        log::debug!("held/{note} in the cache: cannot note which bytes were read: {error}");
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
