//! How much an image may unpack to: a small archive can hold terabytes of zeros.

use thiserror::Error;

/// The limits on one layer. The environment sets the first two: `BULKHEAD_MAX_LAYER_SIZE` (bytes, or with K,
/// M, G or T) and `BULKHEAD_MAX_LAYER_ENTRIES`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the uncompressed archive, which also bounds what a compressed one may blow up to.
    pub size: u64,
    /// Entries.
    pub entries: u64,
    /// Bytes of names, link targets and extended attributes: these are held in memory.
    pub metadata: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { size: 32 << 30, entries: 1_000_000, metadata: 256 << 20 }
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
}

/// What of the limits is used up.
pub struct Meter {
    limits: Limits,
    entries: u64,
    metadata: u64,
}

impl Meter {
    pub fn new(limits: Limits) -> Self {
        Self { limits, entries: 0, metadata: 0 }
    }

    /// One more entry, with this much in names and attributes.
    pub fn count_entry(&mut self, metadata: usize) -> Result<(), LimitError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(LimitError::Entries(self.limits.entries));
        }
        self.metadata += metadata as u64;
        if self.metadata > self.limits.metadata {
            return Err(LimitError::Metadata(self.limits.metadata));
        }
        Ok(())
    }

    /// The archive goes as far as `offset`.
    pub fn check_size(&self, offset: u64) -> Result<(), LimitError> {
        if offset > self.limits.size {
            return Err(LimitError::Size(self.limits.size));
        }
        Ok(())
    }
}
