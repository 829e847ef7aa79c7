//! `network create`: a network that gets along with all others and with this host.

use std::collections::BTreeMap;
use std::net::IpAddr;

use clap::{ArgAction, Args};
use egress_rules::Rule;

use crate::egress::{egress, parse_egress};
use crate::error::CommandError;
use crate::life::insert_label;
use crate::output::print;
use containers::network_names::{HostNetwork, NetworkError, Networks, NewNetwork, Subnet};

/// Create a network
#[derive(Debug, Args)]
#[command(
    name = "create",
    after_help = "Examples:\n  bulkhead network create web\n  bulkhead network create --ipv6 --subnet 10.5.0.0/24 --gateway 10.5.0.254 web"
)]
pub struct CreateNetworkArguments {
    /// Its addresses; one subnet of IPv4 and one of IPv6 [default: the first /24 from 10.89.0.0 on that is free]
    #[arg(long, value_name = "SUBNET", value_delimiter = ',', value_parser = Subnet::parse)]
    pub subnet: Vec<Subnet>,
    /// The host's own address in a subnet [default: the first]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',', value_parser = parse_gateway)]
    pub gateway: Vec<IpAddr>,
    /// Whether it has addresses of IPv4
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = ArgAction::Set
    )]
    pub ipv4: bool,
    /// Give it addresses of IPv6 too; a /64 that nobody else has, unless --subnet names one
    #[arg(long)]
    pub ipv6: bool,
    /// Let its containers reach nothing but each other
    #[arg(long)]
    pub internal: bool,
    /// Let its containers reach this and nothing else through it: as `run --egress` takes it
    #[arg(long, value_name = "RULE", value_parser = parse_egress)]
    pub egress: Vec<Rule>,
    /// Let rules of --egress with addresses open link-local ones too, at which clouds hand out credentials
    #[arg(long)]
    pub egress_link_local: bool,
    /// Note something about it
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub label: Vec<String>,
    /// mtu=BYTES of the longest packet, or bridge=NAME of the interface on this host
    ///
    /// Docker's com.docker.network.driver.mtu and com.docker.network.bridge.name mean the same.
    #[arg(long, short, value_name = "OPTION=VALUE")]
    pub opt: Vec<String>,
    /// What makes it: there is bridge
    #[arg(long, short, value_name = "DRIVER", default_value = "bridge", value_parser = ["bridge"], hide_possible_values = true)]
    pub driver: String,
    /// Its name
    #[arg(value_name = "NETWORK")]
    pub name: String,
}

fn parse_gateway(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "give an address like 10.89.0.1 or fd00:89::1".to_owned())
}

/// Prints its ID.
pub fn execute(arguments: &CreateNetworkArguments) -> Result<u8, CommandError> {
    let new = asked_for(arguments)?;
    let host = HostNetwork::read_for_new().map_err(NetworkError::Host)?;
    let network = Networks::open_default()?.create(new, &host)?;
    print(&format!("{}\n", network.id))?;
    Ok(0)
}

fn asked_for(arguments: &CreateNetworkArguments) -> Result<NewNetwork, CommandError> {
    let mut labels = BTreeMap::new();
    for label in &arguments.label {
        insert_label(&mut labels, label)?;
    }
    let mut new = NewNetwork {
        name: arguments.name.clone(),
        subnets: arguments.subnet.clone(),
        gateways: arguments.gateway.clone(),
        no_ipv4: !arguments.ipv4,
        ipv6: arguments.ipv6,
        internal: arguments.internal,
        egress: egress(&arguments.egress, arguments.egress_link_local)?,
        labels,
        ..NewNetwork::default()
    };
    for option in &arguments.opt {
        let wrong =
            |why: &str| CommandError::Usage(format!("--opt '{}': {why}", option.escape_debug()));
        match option.split_once('=') {
            Some(("mtu" | "com.docker.network.driver.mtu", bytes)) => {
                let bytes =
                    bytes.parse().map_err(|_| wrong("give a number of bytes, like mtu=1400"))?;
                new.mtu = Some(bytes);
            }
            Some(("bridge" | "com.docker.network.bridge.name", name)) => {
                new.interface = Some(name.to_owned());
            }
            _ => return Err(wrong("there are mtu=BYTES and bridge=NAME")),
        }
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Only {
        #[command(flatten)]
        create: CreateNetworkArguments,
    }

    fn create(flags: &[&str]) -> Result<NewNetwork, String> {
        let all = [&["x"], flags].concat();
        let only = Only::try_parse_from(all).map_err(|error| error.to_string())?;
        asked_for(&only.create).map_err(|error| error.line())
    }

    #[test]
    fn flags_are_dockers() {
        let new = create(&[
            "--subnet=10.5.0.0/24,fd00:5::/64",
            "--gateway",
            "10.5.0.254",
            "--internal",
            "--label",
            "team=web",
            "--label",
            "x",
            "-o",
            "com.docker.network.driver.mtu=1400",
            "--opt",
            "bridge=br-web",
            "--egress",
            "example.org:443",
            "--egress",
            "dns",
            "-d",
            "bridge",
            "web",
        ]);
        let new = new.unwrap();
        assert_eq!((new.name.as_str(), new.subnets.len(), new.gateways.len()), ("web", 2, 1));
        assert_eq!(
            (new.mtu, new.interface.as_deref(), new.internal),
            (Some(1400), Some("br-web"), true)
        );
        assert_eq!(new.egress.unwrap().rules.len(), 2);
        assert_eq!((new.labels["team"].as_str(), new.labels["x"].as_str()), ("web", ""));
        assert!(
            !create(&["web"]).unwrap().no_ipv4 && create(&["--ipv4=false", "web"]).unwrap().no_ipv4
        );
        for (flags, message) in [
            (&["--subnet", "10.5.0.0", "web"][..], "'10.5.0.0' is no subnet: give one like"),
            (&["--subnet", "10.5.0.1/24", "web"], "give 10.5.0.0/24"),
            (&["--gateway", "10.5", "web"], "give an address like"),
            (&["-o", "mtu=x", "web"], "--opt 'mtu=x': give a number of bytes"),
            (&["-o", "mtu=-1", "web"], "give a number of bytes"),
            (&["-o", "isolate=false", "web"], "there are mtu=BYTES and bridge=NAME"),
            (&["--label", "=x", "web"], "has no name"),
            (&["--egress-link-local", "web"], "give --egress RULE too"),
            (&["-d", "macvlan", "web"], "macvlan"),
        ] {
            let error = create(flags).unwrap_err();
            assert!(error.contains(message), "{flags:?}: {error}");
        }
    }
}
