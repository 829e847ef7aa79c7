//! From a command's name to the file to execute, and from the kernel's refusal to words.

use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use protocol::{ByteString, FailureKind};

/// Why a command can't be run.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A bare name that no folder of PATH has.
    #[error("{command}: not found in PATH ({path})")]
    NotInPath {
        /// The command.
        command: ByteString,
        /// PATH.
        path: ByteString,
    },
    /// A path with nothing there.
    #[error("{0}: no such file in the image")]
    NoSuchFile(ByteString),
    /// There, but not a program.
    #[error("{command}: can't be executed: {why}")]
    NotExecutable {
        /// The file.
        command: ByteString,
        /// What it lacks.
        why: String,
    },
}

impl CommandError {
    /// "Not found" or "not executable".
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::NotInPath { .. } | Self::NoSuchFile(_) => FailureKind::NotFound,
            Self::NotExecutable { .. } => FailureKind::NotExecutable,
        }
    }

    fn not_executable(file: &Path, why: impl Into<String>) -> Self {
        Self::NotExecutable { command: name(file), why: why.into() }
    }
}

fn name(file: &Path) -> ByteString {
    file.as_os_str().as_bytes().into()
}

/// The file that `command` means: itself when it has a slash (relative to the working directory), else the first
/// executable file of that name in the folders of `path`, an empty one being the working directory (environ(7)).
pub fn find(command: &ByteString, path: &[u8]) -> Result<PathBuf, CommandError> {
    if command.as_bytes().contains(&b'/') {
        let file = PathBuf::from(command.as_os_str());
        return look(&file).map(|()| file);
    }
    let mut refused = None;
    for folder in path.split(|&b| b == b':').filter(|_| !path.is_empty()) {
        let folder = if folder.is_empty() { b"." } else { folder };
        let file = Path::new(std::ffi::OsStr::from_bytes(folder)).join(command.as_os_str());
        match look(&file) {
            Ok(()) => return Ok(file),
            Err(error) if error.kind() == FailureKind::NotExecutable => {
                refused = refused.or(Some(error))
            }
            Err(_) => {}
        }
    }
    Err(refused
        .unwrap_or_else(|| CommandError::NotInPath { command: command.clone(), path: path.into() }))
}

/// Whether execve(2) has a chance.
fn look(file: &Path) -> Result<(), CommandError> {
    let metadata = match fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) => {
            return Err(match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                    CommandError::NoSuchFile(name(file))
                }
                _ => CommandError::not_executable(file, error.to_string()),
            });
        }
    };
    if metadata.is_dir() {
        return Err(CommandError::not_executable(file, "it is a directory"));
    }
    if !metadata.is_file() {
        return Err(CommandError::not_executable(file, "it is not a regular file"));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(CommandError::not_executable(file, "it has no execute permission"));
    }
    Ok(())
}

/// What execve(2)'s error means for a file that [`find`] found.
pub fn explain(file: &Path, error: &io::Error) -> CommandError {
    let why = match error.raw_os_error() {
        Some(libc::ENOENT) => missing_interpreter(file),
        Some(libc::ENOEXEC) => {
            "it is neither a program for this machine nor a script that starts with #!".to_owned()
        }
        Some(libc::EACCES) => {
            "permission denied for this user (the file, a folder above it, or its interpreter)"
                .to_owned()
        }
        _ => error.to_string(),
    };
    CommandError::not_executable(file, why)
}

/// BINPRM_BUF_SIZE, linux/binfmts.h: how much of a script's first line the kernel looks at.
const FIRST_LINE: u64 = 256;

/// ENOENT from a file that is there: what it needs is not.
fn missing_interpreter(file: &Path) -> String {
    let mut start = Vec::new();
    let regular = fs::metadata(file).is_ok_and(|metadata| metadata.is_file());
    if regular && let Ok(file) = fs::File::open(file) {
        // What can't be read is described in general words below.
        let _ = file.take(FIRST_LINE).read_to_end(&mut start);
    }
    match start.strip_prefix(b"#!") {
        Some(rest) => {
            let line = rest.split(|&b| b == b'\n').next().unwrap_or_default().trim_ascii();
            let interpreter = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            format!(
                "the image has no \"{}\", the interpreter that its first line names",
                ByteString::from(interpreter)
            )
        }
        None => "the image lacks its dynamic loader".to_owned(),
    }
}

#[cfg(test)]
mod tests;
