//! `network ls`: the networks.

use clap::Args;
use serde_json::{Value, json};

use super::filter::{Filter, fit};
use crate::error::CommandError;
use crate::output::{listing, print};
use crate::template::Template;
use containers::network_names::{Network, Networks};
use host::time::show_in_list;

/// List networks
#[derive(Debug, Args)]
#[command(
    name = "ls",
    visible_alias = "list",
    after_help = "Example:\n  bulkhead network ls --format '{{.Name}} {{.ID}}'"
)]
pub struct ListNetworksArguments {
    /// Only those with name=PART, id=START, driver=bridge, scope=local, type=custom, label=NAME or label=NAME=VALUE
    ///
    /// Of several filters of a kind one must fit, but all labels, and one of each kind.
    #[arg(long, short, value_name = "FILTER", value_parser = Filter::parse)]
    pub filter: Vec<Filter>,
    /// Print each network so: json, or text with fields like {{.Name}}
    #[arg(long, value_name = "FORMAT", value_parser = Template::parse)]
    pub format: Option<Template>,
    /// Print whole IDs
    #[arg(long)]
    pub no_trunc: bool,
    /// Print IDs alone
    #[arg(long, short)]
    pub quiet: bool,
}

const COLUMNS: [(&str, &str); 4] =
    [("NETWORK ID", "ID"), ("NAME", "Name"), ("DRIVER", "Driver"), ("SCOPE", "Scope")];

/// Prints the list.
pub fn execute(arguments: &ListNetworksArguments) -> Result<u8, CommandError> {
    let networks = Networks::open_default()?.list()?;
    let networks = networks.iter().filter(|network| fit(&arguments.filter, network));
    let rows: Vec<Value> = networks.map(|network| row(network, arguments.no_trunc)).collect();
    let text = match &arguments.format {
        _ if arguments.quiet => listing(&rows, &[("", "ID")], false),
        Some(template) if !template.is_usual() => template.lines(&rows, &COLUMNS)?,
        _ => listing(&rows, &COLUMNS, true),
    };
    print(&text)?;
    Ok(0)
}

/// A network with docker's words for the fields.
fn row(network: &Network, whole: bool) -> Value {
    let has = |ipv6: bool| network.ranges.iter().any(|range| range.subnet.is_ipv6() == ipv6);
    let labels: Vec<_> =
        network.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    json!({
        "ID": if whole { network.id.as_str() } else { network.id.short() },
        "Name": network.name,
        "Driver": "bridge",
        "Scope": "local",
        "IPv4": has(false).to_string(),
        "IPv6": has(true).to_string(),
        "Internal": network.internal.to_string(),
        "Labels": labels.join(","),
        "CreatedAt": show_in_list((network.created / 1_000_000_000) as i64),
    })
}
