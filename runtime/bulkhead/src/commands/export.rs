//! `export`: all files of a container in an archive.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::Args;

use super::cp::files::Files;
use crate::error::CommandError;
use crate::output::write_whole;
use containers::container::Containers;

/// Write all files of a container to a tar archive, whether it runs or not
#[derive(Debug, Args)]
#[command(
    after_help = "What is mounted in it, like /proc and --tmpfs, is left out.\n\nExamples:\n  bulkhead export -o web.tar web\n  bulkhead export web | tar -t"
)]
pub struct ExportArguments {
    /// Write the archive to FILE instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Its name or ID
    #[arg(value_name = "CONTAINER")]
    pub container: String,
}

/// Writes it.
pub fn execute(arguments: &ExportArguments) -> Result<u8, CommandError> {
    let container = Containers::open_default()?.find(&arguments.container)?;
    write_whole(arguments.output.as_deref(), |archive| {
        let files = Files::reach(Box::new(container), false)?;
        files.apply(|files| files.take(Path::new("/"), archive.as_fd()))
    })?;
    Ok(0)
}
