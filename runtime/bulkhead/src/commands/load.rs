//! `load`: images from an archive.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;

use super::prune::in_use;
use crate::error::CommandError;
use crate::limits::limits;
use crate::output::{own, print};
use host::cache::Cache;
use host::platform::Platform;
use images::store::{self, ImageStore};

/// Load images from an archive (docker save, podman save, an OCI layout in a tar)
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bulkhead load -i images.tar\n  docker save busybox | bulkhead load"
)]
pub struct LoadArguments {
    /// Read the archive from FILE instead of stdin
    #[arg(long, short, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Show no progress: there is none to show
    #[arg(long, short)]
    pub quiet: bool,
}

/// Loads them, and prints what they are.
pub fn execute(arguments: &LoadArguments) -> Result<u8, CommandError> {
    let store = &ImageStore::open_default()?;
    let limits = limits(|name| std::env::var(name).ok())?;
    let path = arguments.input.as_deref().unwrap_or(Path::new("stdin"));
    let unread = |source| CommandError::ReadFile { path: path.to_owned(), source };
    let mut archive = match &arguments.input {
        Some(path) => File::open(path).map_err(unread)?,
        None if io::stdin().is_terminal() => {
            let message =
                "an archive is read from stdin, which is a terminal: give one with -i FILE";
            return Err(CommandError::Usage(message.to_owned()));
        }
        None => own(&io::stdin()).map_err(unread)?,
    };
    let cache = Cache::open_default()?;
    let loaded = store::load(store, &cache, path, &mut archive, Platform::NATIVE, limits, &in_use)?;
    let mut text = String::new();
    for image in loaded {
        if image.names.is_empty() {
            text += &format!("Loaded image ID: {}\n", image.id);
        }
        for name in &image.names {
            text += &format!("Loaded image: {}\n", name.short());
        }
    }
    print(&text)?;
    Ok(0)
}
