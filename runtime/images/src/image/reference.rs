//! `IMAGE` or `IMAGE#NAME:TAG`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// An image on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The file or directory.
    pub path: PathBuf,
    /// Which of its images.
    pub name: Option<String>,
}

impl Reference {
    /// Split at the last `#`, unless a file is really called so.
    pub fn parse(argument: &OsStr) -> Self {
        let whole = PathBuf::from(argument);
        let bytes = argument.as_bytes();
        let split = bytes.iter().rposition(|&byte| byte == b'#');
        let (Some(at), false) = (split, whole.exists()) else {
            return Self { path: whole, name: None };
        };
        let name = String::from_utf8_lossy(&bytes[at + 1..]).into_owned();
        Self {
            path: PathBuf::from(OsStr::from_bytes(&bytes[..at])),
            name: Some(name).filter(|name| !name.is_empty()),
        }
    }
}
