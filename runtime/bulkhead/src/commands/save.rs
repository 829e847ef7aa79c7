//! `save`: images in an archive.

use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::error::CommandError;
use crate::limits::limits;
use crate::output::own;
use images::store::{self, ImageStore};

/// Save images to an archive that docker, podman and skopeo read
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bulkhead save -o images.tar busybox web:1.2\n  bulkhead save busybox | docker load"
)]
pub struct SaveArguments {
    /// Write the archive to FILE instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::DockerArchive)]
    pub format: Format,
    /// Names or IDs
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<String>,
}

/// What an archive is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// What `docker save` writes: configurations, and layers as plain tars.
    #[default]
    DockerArchive,
    /// A tar of an OCI image layout.
    OciArchive,
}

impl From<Format> for store::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::DockerArchive => Self::DockerArchive,
            Format::OciArchive => Self::OciArchive,
        }
    }
}

/// A file is written aside, and has its name only when it is whole; a pipe or a device is written as it is.
pub fn execute(arguments: &SaveArguments) -> Result<u8, CommandError> {
    let store = &ImageStore::open_default()?;
    let limits = limits(|name| std::env::var(name).ok())?;
    let SaveArguments { output, format, images } = arguments;
    let write = |out: &File| -> Result<(), CommandError> {
        Ok(store::save(store, images, (*format).into(), limits, io::BufWriter::new(out))?)
    };
    match output {
        Some(path) => {
            let failed = |source| CommandError::WriteFile { path: path.clone(), source };
            if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
                write(&File::options().write(true).open(path).map_err(failed)?)?;
                return Ok(0);
            }
            let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let aside = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")));
            let aside = aside.map_err(failed)?;
            write(aside.as_file())?;
            aside.persist(path).map_err(|error| failed(error.error))?;
        }
        None if io::stdout().is_terminal() => {
            let message =
                "the archive goes to stdout, which is a terminal: name a file with -o FILE";
            return Err(CommandError::Usage(message.to_owned()));
        }
        None => write(&own(&io::stdout()).map_err(CommandError::Output)?)?,
    }
    Ok(0)
}
