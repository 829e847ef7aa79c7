//! `network prune`: networks that no container is on, removed.

use clap::Args;

use super::filter::{Filter, fit};
use crate::error::CommandError;
use crate::output::print;
use containers::container::Containers;
use containers::network_names::{Networks, sweep_dead};

/// Remove all networks that no container is on
#[derive(Debug, Args)]
#[command(
    name = "prune",
    after_help = "Example:\n  bulkhead network prune --filter label=team=web"
)]
pub struct PruneNetworksArguments {
    /// Only those with label=NAME or label=NAME=VALUE, or with label!= without
    #[arg(long, value_name = "FILTER", value_parser = Filter::parse_label)]
    pub filter: Vec<Filter>,
    /// Don't ask: it never does
    #[arg(long, short)]
    pub force: bool,
}

/// Prints their names, as docker does.
pub fn execute(arguments: &PruneNetworksArguments) -> Result<u8, CommandError> {
    let (networks, containers) = (Networks::open_default()?, Containers::open_default()?);
    sweep_dead(&networks, &containers)?;
    let wanted = |network: &_| fit(&arguments.filter, network);
    let pruned = networks.prune(&containers, wanted)?;
    if !pruned.is_empty() {
        let names: String = pruned.iter().map(|network| format!("{}\n", network.name)).collect();
        print(&format!("Deleted Networks:\n{names}\n"))?;
    }
    Ok(0)
}
