//! How much an image may unpack to: a small archive can hold terabytes of zeros.

use thiserror::Error;

use crate::limits;
use crate::tree::Tree;

/// The limits on one layer. The environment sets the first two: `BULKHEAD_MAX_LAYER_SIZE` (bytes, or with K,
/// M, G or T) and `BULKHEAD_MAX_LAYER_ENTRIES`. An image may have [`limits::LAYERS_IN_ALL`] times as much in all.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the uncompressed archive, which also bounds what a compressed one may blow up to.
    pub size: u64,
    /// Entries, with the directories that their names imply.
    pub entries: u64,
    /// Bytes of names, link targets and extended attributes: these are held in memory.
    pub metadata: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            size: limits::LAYER_SIZE,
            entries: limits::LAYER_ENTRIES,
            metadata: limits::LAYER_METADATA,
        }
    }
}

impl Limits {
    /// The limits on all layers of an image together.
    pub(crate) fn in_all(self) -> Self {
        Self {
            size: self.size.saturating_mul(limits::LAYERS_IN_ALL),
            entries: self.entries.saturating_mul(limits::LAYERS_IN_ALL),
            metadata: self.metadata.saturating_mul(limits::LAYERS_IN_ALL),
        }
    }
}

/// Which limit is reached.
#[derive(Debug, Error, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LimitError {
    #[error("the layer unpacks to more than {0} bytes; set BULKHEAD_MAX_LAYER_SIZE to allow more")]
    Size(u64),
    #[error("the layer has more than {0} entries; set BULKHEAD_MAX_LAYER_ENTRIES to allow more")]
    Entries(u64),
    #[error("the layer's names and attributes take more than {0} bytes")]
    Metadata(u64),
    #[error(
        "the image's layers unpack to more than {0} bytes in all; set BULKHEAD_MAX_LAYER_SIZE to half of what to allow"
    )]
    ImageSize(u64),
    #[error(
        "the image's layers have more than {0} entries in all; set BULKHEAD_MAX_LAYER_ENTRIES to half of what to allow"
    )]
    ImageEntries(u64),
    #[error("the names and attributes of the image's layers take more than {0} bytes in all")]
    ImageMetadata(u64),
}

/// What of an image's limits is used up: handed from layer to layer.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    entries: u64,
    metadata: u64,
    /// Of the layers that are done.
    before: Limits,
}

impl Meter {
    /// Nothing is used up yet.
    pub fn new(limits: Limits) -> Self {
        let before = Limits { size: 0, entries: 0, metadata: 0 };
        Self { limits, entries: 0, metadata: 0, before }
    }

    /// The limits on one layer.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// One more entry, with this much in names and attributes.
    pub(crate) fn count_entry(&mut self, metadata: usize) -> Result<(), LimitError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(LimitError::Entries(self.limits.entries));
        }
        self.metadata += metadata as u64;
        if self.metadata > self.limits.metadata {
            return Err(LimitError::Metadata(self.limits.metadata));
        }
        self.check_all()
    }

    /// The archive goes as far as `offset`.
    pub fn check_size(&self, offset: u64) -> Result<(), LimitError> {
        if offset > self.limits.size {
            return Err(LimitError::Size(self.limits.size));
        }
        let most = self.limits.in_all().size;
        if self.before.size.saturating_add(offset) > most {
            return Err(LimitError::ImageSize(most));
        }
        Ok(())
    }

    /// A layer is done, which has this tree and takes so many bytes on the disk.
    pub fn end_layer(&mut self, tree: &Tree, size: u64) -> Result<(), LimitError> {
        (self.entries, self.metadata) = (0, 0);
        self.before.size = self.before.size.saturating_add(size);
        // The root counts for no layer.
        self.before.entries += tree.len() as u64 - 1;
        self.before.metadata += tree.metadata_len();
        self.check_all()
    }

    /// A layer that was unpacked before takes so many bytes on the disk.
    pub(crate) fn pass_layer(&mut self, size: u64) {
        self.before.size = self.before.size.saturating_add(size);
    }

    fn check_all(&self) -> Result<(), LimitError> {
        let most = self.limits.in_all();
        if self.before.size > most.size {
            return Err(LimitError::ImageSize(most.size));
        }
        if self.before.entries.saturating_add(self.entries) > most.entries {
            return Err(LimitError::ImageEntries(most.entries));
        }
        if self.before.metadata.saturating_add(self.metadata) > most.metadata {
            return Err(LimitError::ImageMetadata(most.metadata));
        }
        Ok(())
    }
}
