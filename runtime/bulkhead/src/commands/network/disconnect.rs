//! `network disconnect`: a container that does not run is taken off a network.

use clap::Args;

use super::running;
use crate::error::CommandError;
use containers::container::Containers;
use containers::network_names::{NetworkError, Networks};

/// Take a container that does not run off a network
#[derive(Debug, Args)]
#[command(name = "disconnect", after_help = "Example:\n  bulkhead network disconnect web postgres")]
pub struct DisconnectArguments {
    /// One that is not on it is no failure
    #[arg(long, short)]
    pub force: bool,
    /// The network's name or ID
    #[arg(value_name = "NETWORK")]
    pub network: String,
    /// The container's name or ID
    #[arg(value_name = "CONTAINER")]
    pub container: String,
}

/// Says nothing, as docker.
pub fn execute(arguments: &DisconnectArguments) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    let container = containers.find(&arguments.container)?;
    let tenure = container.tenure().map_err(running)?;
    let networks = Networks::open_default()?;
    match networks.disconnect(&containers, &container, &tenure, &arguments.network) {
        Err(NetworkError::NotOn { .. }) if arguments.force => Ok(0),
        done => Ok(done.map(|()| 0)?),
    }
}
