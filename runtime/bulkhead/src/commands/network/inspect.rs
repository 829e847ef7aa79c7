//! `network inspect`: everything about networks.

use std::net::IpAddr;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::commands::inspect::print_each;
use crate::egress::rule_facts;
use crate::error::CommandError;
use crate::template::Template;
use containers::container::{Container, Containers};
use containers::network_names::{Network, Networks, users};
use host::time::show;

/// Show everything about networks, as JSON
#[derive(Debug, Args)]
#[command(
    name = "inspect",
    after_help = "Example:\n  bulkhead network inspect --format '{{json .IPAM.Config}}' web"
)]
pub struct InspectNetworkArguments {
    /// Print each network so: json, or text with fields like {{.Id}}
    #[arg(long, short, value_name = "FORMAT", value_parser = Template::parse)]
    pub format: Option<Template>,
    /// Names or IDs
    #[arg(value_name = "NETWORK", required = true)]
    pub names: Vec<String>,
}

/// Prints everything about each that there is, and complains about the others.
pub fn execute(arguments: &InspectNetworkArguments) -> Result<u8, CommandError> {
    let networks = Networks::open_default()?;
    let containers = Containers::open_default()?.list()?;
    print_each(&arguments.names, arguments.format.as_ref(), |name| {
        facts(name, &networks, &containers)
    })
}

/// With docker's words where it has them. `Containers` are those that have an address now, `Users` all that are to be on it.
fn facts(name: &str, networks: &Networks, containers: &[Container]) -> Result<Value, CommandError> {
    let network = networks.find(name)?;
    let leases = networks.leases(&network)?;
    let users = users(&network, containers);
    let joined = users.iter().filter_map(|user| {
        let lease = leases.of(user.id())?;
        let address = |ipv6: bool| with_prefix(&network, &lease.addresses, ipv6);
        Some((
            user.id().to_string(),
            json!({
                "Name": user.config().name,
                "EndpointID": "",
                "MacAddress": lease.mac.map(|mac| mac.to_string()).unwrap_or_default(),
                "IPv4Address": address(false),
                "IPv6Address": address(true),
            }),
        ))
    });
    let config = network.ranges.iter().map(
        |range| json!({ "Subnet": range.subnet.to_string(), "Gateway": range.gateway.to_string() }),
    );
    let has = |ipv6: bool| network.ranges.iter().any(|range| range.subnet.is_ipv6() == ipv6);
    let mut options = Map::new();
    options.insert("com.docker.network.bridge.name".to_owned(), network.interface.clone().into());
    if let Some(mtu) = network.mtu {
        options.insert("com.docker.network.driver.mtu".to_owned(), mtu.to_string().into());
    }
    Ok(json!({
        "Name": network.name,
        "Id": network.id.as_str(),
        "Created": show(network.created),
        "Scope": "local",
        "Driver": "bridge",
        "EnableIPv4": has(false),
        "EnableIPv6": has(true),
        "IPAM": { "Driver": "default", "Options": {}, "Config": config.collect::<Vec<_>>() },
        "Internal": network.internal,
        "Attachable": false,
        "Ingress": false,
        "ConfigFrom": { "Network": "" },
        "ConfigOnly": false,
        "Containers": joined.collect::<Map<String, Value>>(),
        "Users": users.iter().map(|user| user.config().name.clone()).collect::<Vec<_>>(),
        "Egress": rule_facts(network.egress.as_ref()),
        "EgressLinkLocal": network.egress.as_ref().is_some_and(|egress| egress.link_local),
        "Options": options,
        "Labels": network.labels,
    }))
}

fn with_prefix(network: &Network, addresses: &[IpAddr], ipv6: bool) -> String {
    let mut all = addresses.iter().zip(&network.ranges);
    let own = all.find(|(address, _)| address.is_ipv6() == ipv6);
    own.map(|(address, range)| format!("{address}/{}", range.subnet.prefix())).unwrap_or_default()
}
