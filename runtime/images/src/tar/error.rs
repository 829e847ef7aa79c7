//! What can be wrong with a tar stream.

use std::io;

use thiserror::Error;

/// Why a tar stream cannot be read on.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum TarError {
    #[error(
        "cut short at byte {offset}, in member '{member}': at least {missing} bytes are missing"
    )]
    Cut { offset: u64, member: String, missing: u64 },
    #[error("cut short at byte {offset}, in the header of a member")]
    CutHeader { offset: u64 },
    #[error("no tar header at byte {offset}: its checksum does not match")]
    Checksum { offset: u64 },
    #[error("a record of zeros at byte {offset} ends the archive, and more follows it")]
    LoneZeros { offset: u64 },
    #[error("member '{member}' at byte {offset}: the header's {field} is not a number in range")]
    Field { offset: u64, member: String, field: &'static str },
    #[error("pax records at byte {offset}: {field} is not valid")]
    Pax { offset: u64, field: String },
    #[error("extension header at byte {offset} is {size} bytes long; the limit is {limit}")]
    ExtensionTooLong { offset: u64, size: u64, limit: u64 },
    #[error("too many extension headers in a row before byte {offset}")]
    TooManyExtensions { offset: u64 },
    #[error("member '{member}' at byte {offset} is a sparse file that makes no sense: {reason}")]
    Sparse { offset: u64, member: String, reason: String },
    #[error("member '{member}' at byte {offset} has the unknown type '{flag}'")]
    Type { offset: u64, member: String, flag: String },
    #[error("cannot read on at byte {offset}")]
    Io { offset: u64, source: io::Error },
}
