//! `network rm`: networks, removed.

use clap::Args;

use crate::error::CommandError;
use crate::names::each_says;
use containers::container::Containers;
use containers::network_names::{NetworkError, Networks, sweep_dead};

/// Remove networks that no container is on
#[derive(Debug, Args)]
#[command(
    name = "rm",
    visible_alias = "remove",
    after_help = "Example:\n  bulkhead network rm web db"
)]
pub struct RemoveNetworkArguments {
    /// One that is not there is no failure
    #[arg(long, short)]
    pub force: bool,
    /// Names or IDs
    #[arg(value_name = "NETWORK", required = true)]
    pub names: Vec<String>,
}

/// Removes each, and prints its name.
pub fn execute(arguments: &RemoveNetworkArguments) -> Result<u8, CommandError> {
    let (networks, containers) = (Networks::open_default()?, Containers::open_default()?);
    sweep_dead(&networks, &containers)?;
    let act = |name: &String| match networks.find(name) {
        Err(NetworkError::NotFound(_)) if arguments.force => Ok(String::new()),
        found => {
            networks.remove(&found?, &containers)?;
            Ok(format!("{name}\n"))
        }
    };
    each_says(&arguments.names, act, |_| false)
}
