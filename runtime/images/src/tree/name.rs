//! Names from an archive: checked before anything is done with them.

use thiserror::Error;

use crate::limits;

/// Why a name is refused.
#[derive(Debug, Error, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NameError {
    #[error("it leaves the root: the name is absolute")]
    Absolute,
    #[error("it leaves the root: the name has a '..' in it")]
    ParentDirectory,
    #[error("a part of the name is {0} bytes long; the limit is {limit}", limit = limits::NAME)]
    LongComponent(usize),
    #[error("the name is {0} bytes long; the limit is {limit}", limit = limits::PATH)]
    LongPath(usize),
    #[error("the name has {0} parts; the limit is {limit}", limit = limits::DEPTH)]
    TooDeep(usize),
    #[error("the name has a NUL byte in it")]
    Nul,
}

/// The parts of a path from an archive, relative to the root: `./a//b/` is `a`, `b`. `/` and `.` alone are the
/// root itself, and no parts.
pub fn components(path: &[u8]) -> Result<Vec<&[u8]>, NameError> {
    let parts = relative(path);
    if path.len() > limits::PATH {
        return Err(NameError::LongPath(path.len()));
    }
    if path.contains(&0) {
        return Err(NameError::Nul);
    }
    if path.starts_with(b"/") && !parts.is_empty() {
        return Err(NameError::Absolute);
    }
    if parts.len() > limits::DEPTH {
        return Err(NameError::TooDeep(parts.len()));
    }
    for part in &parts {
        if *part == b".." {
            return Err(NameError::ParentDirectory);
        }
        if part.len() > limits::NAME {
            return Err(NameError::LongComponent(part.len()));
        }
    }
    Ok(parts)
}

/// The parts of any path, without the empty ones and `.`.
pub fn relative(path: &[u8]) -> Vec<&[u8]> {
    path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect()
}
