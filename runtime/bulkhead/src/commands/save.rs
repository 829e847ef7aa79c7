//! `save`: images in an archive.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::error::CommandError;
use crate::limits::limits;
use crate::output::write_whole;
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

/// Writes the archive.
pub fn execute(arguments: &SaveArguments) -> Result<u8, CommandError> {
    let store = &ImageStore::open_default()?;
    let limits = limits(|name| std::env::var(name).ok())?;
    let SaveArguments { output, format, images } = arguments;
    let write = |out: &File| -> Result<(), CommandError> {
        Ok(store::save(store, images, (*format).into(), limits, io::BufWriter::new(out))?)
    };
    write_whole(output.as_deref(), write)?;
    Ok(0)
}
