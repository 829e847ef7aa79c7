//! Layers, uncompressed: their digests then are all that a docker archive promises about them.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use super::StoreError;
use crate::image::compression::{Compression, Decompressor};
use crate::image::files::Files;
use crate::image::{ImageError, LayerData, LayerSource};
use crate::layer::Limits;
use host::digest::{Digest, DigestReader};

/// A layer of an image archive or layout.
pub struct Packed<'a> {
    pub files: &'a Files,
    pub path: &'a str,
    pub diff_id: Digest,
}

impl<'a> Packed<'a> {
    /// An image archive or layout has no other layers than these.
    pub fn of(layer: &'a LayerSource) -> Option<Self> {
        match &layer.data {
            LayerData::Packed { files, path, diff_id, .. } => {
                Some(Self { files, path, diff_id: *diff_id })
            }
            LayerData::Tar { .. } | LayerData::Directory(_) => None,
        }
    }

    /// Write the uncompressed tar, and check that it is what the configuration promises; how it was compressed, and
    /// the tar's length.
    pub fn decompress(
        &self,
        limits: Limits,
        out: &mut impl Write,
    ) -> Result<(Compression, u64), StoreError> {
        let failed = |source| self.failed(source);
        let decompressor = Decompressor::new(self.files.open(self.path)?).map_err(failed)?;
        let compression = decompressor.compression();
        let mut tar = DigestReader::new(decompressor.take(limits.size.saturating_add(1)));
        io::copy(&mut tar, out).map_err(failed)?;
        let (actual, size) = tar.finish();
        let path = self.origin();
        if size > limits.size {
            return Err(ImageError::ArchiveTooLarge { path, limit: limits.size }.into());
        }
        if actual != self.diff_id {
            let layer = self.path.to_owned();
            return Err(StoreError::DiffId { path, layer, expected: self.diff_id, actual });
        }
        Ok((compression, size))
    }

    /// What is stored of it cannot be read.
    pub fn failed(&self, source: io::Error) -> StoreError {
        let origin = self.origin().display().to_string();
        StoreError::ReadBlob { origin, blob: self.path.to_owned(), source }
    }

    fn origin(&self) -> PathBuf {
        self.files.image()
    }
}
