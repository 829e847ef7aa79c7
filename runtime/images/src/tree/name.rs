//! Names from an archive: checked before anything is done with them.

use thiserror::Error;

use crate::limits;

/// Why a name is refused.
#[derive(Debug, Error, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum NameError {
    #[error("it leaves the root: a '..' in the name goes above it")]
    Outside,
    #[error("a part of the name is {0} bytes long; the limit is {limit}", limit = limits::NAME)]
    LongComponent(usize),
    #[error("the name is {0} bytes long; the limit is {limit}", limit = limits::PATH)]
    LongPath(usize),
    #[error("the name has {0} parts; the limit is {limit}", limit = limits::DEPTH)]
    TooDeep(usize),
    #[error("the name has a NUL byte in it")]
    Nul,
}

/// The parts of a path from an archive, inside the root, as docker cleans them: `./a//b/`, `/a/b` and `a/x/../b` are
/// `a`, `b`, whatever `x` is. `/` and `.` alone are the root itself, and no parts. Above the root is the root for a
/// path that begins there, and nothing for another one.
pub fn components(path: &[u8]) -> Result<Vec<&[u8]>, NameError> {
    if path.len() > limits::PATH {
        return Err(NameError::LongPath(path.len()));
    }
    if path.contains(&0) {
        return Err(NameError::Nul);
    }
    let mut parts = Vec::new();
    for part in relative(path) {
        if part == b".." {
            let popped = parts.pop();
            if popped.is_none() && !path.starts_with(b"/") {
                return Err(NameError::Outside);
            }
        } else if part.len() > limits::NAME {
            return Err(NameError::LongComponent(part.len()));
        } else {
            parts.push(part);
        }
    }
    if parts.len() > limits::DEPTH {
        return Err(NameError::TooDeep(parts.len()));
    }
    Ok(parts)
}

/// The parts of any path, without the empty ones and `.`.
pub fn relative(path: &[u8]) -> Vec<&[u8]> {
    path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect()
}
