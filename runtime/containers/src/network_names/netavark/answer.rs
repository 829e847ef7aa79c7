//! What netavark answers (1.4.0 `src/network/types.rs`, `StatusBlock`), compared with what it was told.

use std::collections::BTreeMap;
use std::net::IpAddr;

use protocol::MacAddress;
use serde::Deserialize;

use super::super::attachment::parse_mac;
use super::request::Request;

/// What it says of a network. Later versions may say more.
#[derive(Debug, Deserialize)]
struct Status {
    interfaces: Option<BTreeMap<String, Interface>>,
    dns_server_ips: Option<Vec<IpAddr>>,
}

#[derive(Debug, Deserialize)]
struct Interface {
    mac_address: String,
    subnets: Option<Vec<Address>>,
}

#[derive(Debug, Deserialize)]
struct Address {
    ipnet: String,
}

#[derive(Debug, Deserialize)]
struct Failure {
    error: String,
}

/// What is not known before.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// By the network's name, the address of the container's card.
    pub macs: BTreeMap<String, MacAddress>,
    /// Who answers questions for names: gateways of the networks.
    pub nameservers: Vec<IpAddr>,
}

/// Reads the answer to a set-up; what is wrong with it.
pub fn read(request: &Request, text: &[u8]) -> Result<Known, String> {
    let answer: BTreeMap<String, Status> =
        serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let (mut macs, mut nameservers) = (BTreeMap::new(), Vec::new());
    if !answer.keys().eq(request.networks.keys()) {
        return Err("it speaks of other networks".to_owned());
    }
    for ((name, member), (info, status)) in
        request.networks.iter().zip(request.network_info.values().zip(answer.into_values()))
    {
        let mut interfaces = status.interfaces.unwrap_or_default().into_iter();
        let interface = match (interfaces.next(), interfaces.next()) {
            (Some((own, interface)), None) if own == member.interface_name => interface,
            _ => return Err(format!("it has not made {} alone", member.interface_name)),
        };
        let expected = member.static_ips.iter().zip(&info.subnets);
        let expected: Vec<String> =
            expected.map(|(address, of)| format!("{address}/{}", of.subnet.prefix())).collect();
        let given = interface.subnets.unwrap_or_default();
        if !given.iter().map(|one| &one.ipnet).eq(&expected) {
            return Err(format!(
                "{} has other addresses than {}",
                member.interface_name,
                expected.join(" ")
            ));
        }
        macs.insert(name.clone(), parse_mac(&interface.mac_address)?);
        let gateways: Vec<IpAddr> = info.subnets.iter().map(|of| of.gateway).collect();
        for server in status.dns_server_ips.unwrap_or_default() {
            if !gateways.contains(&server) {
                return Err("it names another resolver than a gateway".to_owned());
            }
            if !nameservers.contains(&server) {
                nameservers.push(server);
            }
        }
    }
    Ok(Known { macs, nameservers })
}

/// As much of a message as a person is shown, in letters.
const WORDS: usize = 500;

/// Its own words about a failure, in one line. They may be anything.
pub fn words(stdout: &[u8], stderr: &[u8]) -> String {
    let said = match serde_json::from_slice::<Failure>(stdout) {
        Ok(failure) => failure.error,
        // It has not come as far as that.
        Err(_) => String::from_utf8_lossy(&[stderr, b" ", stdout].concat()).into_owned(),
    };
    let line: Vec<&str> = said.split_whitespace().collect();
    let line: String = line.join(" ").chars().take(WORDS).collect();
    match line.is_empty() {
        true => "it does not say why".to_owned(),
        false => host::text::visible(&line).into_owned(),
    }
}

#[cfg(test)]
mod tests;
