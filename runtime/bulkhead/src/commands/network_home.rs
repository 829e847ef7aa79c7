//! `network-home`: the hidden command of the first process in the namespaces of an ordinary user's networks.

use std::path::PathBuf;

use clap::Args;

use crate::error::CommandError;
use containers::network_names::hold;

#[derive(Debug, Args)]
#[command(hide = true)]
pub struct NetworkHomeArguments {
    file: PathBuf,
}

/// Lives as long as somebody has a lock on the file.
pub fn execute(arguments: &NetworkHomeArguments) -> Result<u8, CommandError> {
    hold(&arguments.file).map_err(containers::network_names::NetworkError::from)?;
    Ok(0)
}
