//! What tests have in common.

use std::fs::File;
use std::io::Write;

/// An open file with these bytes.
pub fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("room for it");
    file
}
