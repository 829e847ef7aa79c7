//! `network`: networks on which containers find each other by name.

mod connect;
mod create;
mod disconnect;
mod filter;
mod inspect;
mod ls;
mod prune;
mod rm;

use clap::{Args, Subcommand};

use crate::error::CommandError;
use containers::container::ContainerError;
use containers::network_names::NetworkError;

/// Make networks, on which containers find each other by name
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bulkhead network create --subnet 10.5.0.0/24 web\n  bulkhead network connect --alias db web postgres"
)]
pub struct NetworkArguments {
    #[command(subcommand)]
    command: NetworkCommand,
}

/// The commands, in the order of the help.
#[derive(Debug, Subcommand)]
enum NetworkCommand {
    Create(create::CreateNetworkArguments),
    Ls(ls::ListNetworksArguments),
    Inspect(inspect::InspectNetworkArguments),
    Connect(connect::ConnectArguments),
    Disconnect(disconnect::DisconnectArguments),
    Rm(rm::RemoveNetworkArguments),
    Prune(prune::PruneNetworksArguments),
}

/// Do it.
pub fn execute(arguments: &NetworkArguments) -> Result<u8, CommandError> {
    match &arguments.command {
        NetworkCommand::Create(arguments) => create::execute(arguments),
        NetworkCommand::Ls(arguments) => ls::execute(arguments),
        NetworkCommand::Inspect(arguments) => inspect::execute(arguments),
        NetworkCommand::Connect(arguments) => connect::execute(arguments),
        NetworkCommand::Disconnect(arguments) => disconnect::execute(arguments),
        NetworkCommand::Rm(arguments) => rm::execute(arguments),
        NetworkCommand::Prune(arguments) => prune::execute(arguments),
    }
}

/// The interfaces of a VM are those of its start.
fn running(error: ContainerError) -> CommandError {
    match error {
        ContainerError::Running(name) => NetworkError::Runs(name).into(),
        error => error.into(),
    }
}
