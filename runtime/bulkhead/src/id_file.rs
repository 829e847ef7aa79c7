//! `--cidfile`: a container's ID in a file.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::error::CommandError;

/// A file that waits for an ID, and goes again when there is none.
pub struct IdFile {
    path: PathBuf,
    file: Option<File>,
}

impl IdFile {
    /// Makes the file. As in docker, one that is there is another container's.
    pub fn create(path: &Path) -> Result<Self, CommandError> {
        match File::create_new(path) {
            Ok(file) => Ok(Self { path: path.to_owned(), file: Some(file) }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let path = path.display();
                let message = format!(
                    "--cidfile {path}: it is there, and perhaps another container's: delete it"
                );
                Err(CommandError::Usage(message))
            }
            Err(source) => Err(CommandError::WriteFile { path: path.to_owned(), source }),
        }
    }

    /// Writes the ID.
    pub fn keep(mut self, id: &str) -> Result<(), CommandError> {
        let written = self.file.take().map_or(Ok(()), |mut file| file.write_all(id.as_bytes()));
        written.map_err(|source| CommandError::WriteFile { path: self.path.clone(), source })
    }
}

impl Drop for IdFile {
    fn drop(&mut self) {
        if self.file.take().is_some()
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("{}: cannot remove it: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_an_id_or_is_gone() {
        let work = tempfile::tempdir().unwrap();
        let path = work.path().join("id");
        drop(IdFile::create(&path).unwrap());
        assert!(!path.exists());
        IdFile::create(&path).unwrap().keep("12").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "12");
        let error = IdFile::create(&path).map(|_| ()).unwrap_err();
        assert!(error.line().contains("it is there"), "{}", error.line());
        assert_eq!(fs::read_to_string(&path).unwrap(), "12");
    }
}
