//! `network connect`: a container that does not run is put on a network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use clap::Args;

use super::running;
use crate::error::CommandError;
use crate::network_flag::parse_wish;
use containers::container::Containers;
use containers::network_names::{Networks, Wish, check};

/// Put a container that does not run on a network
#[derive(Debug, Args)]
#[command(
    name = "connect",
    after_help = "Examples:\n  bulkhead network connect --alias db web postgres\n  bulkhead network connect web:alias=db,mac=02:00:00:00:00:01 postgres"
)]
pub struct ConnectArguments {
    /// One more name that others find it by
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub alias: Vec<String>,
    /// Its address of IPv4 there
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Option<Ipv4Addr>,
    /// Its address of IPv6 there
    #[arg(long, value_name = "ADDRESS")]
    pub ip6: Option<Ipv6Addr>,
    /// The network's name or ID, and perhaps alias=NAME, ip=ADDRESS and mac=ADDRESS
    #[arg(value_name = "NETWORK[:OPTIONS]", value_parser = parse_wish)]
    pub network: Wish,
    /// The container's name or ID
    #[arg(value_name = "CONTAINER")]
    pub container: String,
}

/// Says nothing, as docker.
pub fn execute(arguments: &ConnectArguments) -> Result<u8, CommandError> {
    let mut wish = arguments.network.clone();
    wish.identity.aliases.extend(arguments.alias.iter().cloned());
    wish.identity.addresses.extend(arguments.ip.map(IpAddr::from));
    wish.identity.addresses.extend(arguments.ip6.map(IpAddr::from));
    check()?;
    let containers = Containers::open_default()?;
    let container = containers.find(&arguments.container)?;
    let tenure = container.tenure().map_err(running)?;
    Networks::open_default()?.connect(&containers, &container, &tenure, &wish)?;
    Ok(0)
}
