//! The files of an image, in a directory or inside an archive.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use super::archive::Archive;
use super::error::ImageError;
use super::json::Document;
use crate::limits;
use host::digest::{Digest, DigestReader, Mismatch};

/// Where an image's files are.
#[derive(Clone, Debug)]
pub enum Files {
    /// In a directory.
    Directory(PathBuf),
    /// In a tar.
    Archive(Arc<Archive>),
}

/// One open file of an image.
pub type OpenFile = io::Take<File>;

impl Files {
    /// The image's path, for messages.
    pub fn image(&self) -> PathBuf {
        match self {
            Self::Directory(path) => path.clone(),
            Self::Archive(archive) => archive.path.clone(),
        }
    }

    /// Whether there is such a file.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Directory(path) => path.join(name).is_file(),
            Self::Archive(archive) => archive.find(name).is_some(),
        }
    }

    /// Open a file.
    pub fn open(&self, name: &str) -> Result<OpenFile, ImageError> {
        let missing = || ImageError::Missing { image: self.image(), file: name.to_owned() };
        let failed = |source| self.failed(name, source);
        match self {
            Self::Directory(path) => {
                let mut options = fs::OpenOptions::new();
                let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path.join(name));
                let file = file.map_err(|source| match source.kind() {
                    io::ErrorKind::NotFound => missing(),
                    _ => failed(source),
                })?;
                let metadata = file.metadata().map_err(failed)?;
                if !metadata.is_file() {
                    return Err(self.invalid(name, "it is not a regular file"));
                }
                Ok(file.take(metadata.len()))
            }
            Self::Archive(archive) => {
                let data = archive.find(name).ok_or_else(missing)?;
                archive.open(data).map_err(failed)
            }
        }
    }

    /// Read a JSON document, checked against what it was promised to be.
    pub fn document<T: Document>(
        &self,
        name: &str,
        promised: Option<(Digest, u64)>,
    ) -> Result<T, ImageError> {
        let mut file = self.open(name)?;
        if file.limit() > limits::DOCUMENT {
            return Err(ImageError::DocumentTooLarge {
                image: self.image(),
                file: name.to_owned(),
                len: file.limit(),
                limit: limits::DOCUMENT,
            });
        }
        let mut text = Vec::new();
        let mut reader = DigestReader::new(&mut file);
        reader.read_to_end(&mut text).map_err(|source| self.failed(name, source))?;
        let (digest, size) = reader.finish();
        if let Some(promised) = promised {
            check(promised, (digest, size)).map_err(|source| ImageError::Mismatch {
                image: self.image(),
                file: name.to_owned(),
                source,
            })?;
        }
        T::read(&text).map_err(|source| ImageError::Json {
            image: self.image(),
            file: name.to_owned(),
            source,
        })
    }

    /// An error about a file's contents.
    pub fn invalid(&self, file: &str, reason: impl Into<String>) -> ImageError {
        ImageError::Invalid { image: self.image(), file: file.to_owned(), reason: reason.into() }
    }

    pub(super) fn failed(&self, file: &str, source: io::Error) -> ImageError {
        ImageError::Read { image: self.image(), file: file.to_owned(), source }
    }
}

/// Compare what was read with what was promised. The size goes first: it says more.
pub fn check(promised: (Digest, u64), actual: (Digest, u64)) -> Result<(), Mismatch> {
    if promised.1 != actual.1 {
        return Err(Mismatch::Size { expected: promised.1, actual: actual.1 });
    }
    if promised.0 != actual.0 {
        return Err(Mismatch::Digest { expected: promised.0, actual: actual.0 });
    }
    Ok(())
}
