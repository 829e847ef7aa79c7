//! `network-join`: the hidden command of the process that puts an ordinary user's container on networks.

use clap::Args;

use crate::error::CommandError;
use containers::network_names::join_networks;

#[derive(Debug, Args)]
#[command(hide = true)]
pub struct NetworkJoinArguments {}

/// Lives as long as its supervisor wants it.
pub fn execute(_: &NetworkJoinArguments) -> Result<u8, CommandError> {
    join_networks()?;
    Ok(0)
}
