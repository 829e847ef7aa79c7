//! `egress` of a network interface: what its guest may reach.

use std::str::FromStr;

use egress_rules::{Policy, RuleError};

use super::json::{FieldError, Object};

/// The policy of an interface with this hardware address, if it has one.
pub(super) fn policy(
    interface: &mut Object,
    mac: Option<[u8; 6]>,
) -> Result<Option<Policy>, FieldError> {
    let Some(mut object) = interface.object("egress")? else { return Ok(None) };
    let Some(mac) = mac else {
        let problem = "missing field, expected the one address that `egress` is to let through";
        return Err(interface.error("guest_mac", problem));
    };
    let policy = Policy {
        mac,
        ipv4: object.texts("ipv4", |text| parse(text, "expected an IPv4 address"))?,
        ipv6: object.texts("ipv6", |text| parse(text, "expected an IPv6 address"))?,
        resolvers: object.texts("resolvers", |text| parse(text, "expected an IP address"))?,
        rules: object
            .texts("rules", |text| text.parse().map_err(|error: RuleError| error.to_string()))?,
        link_local: object.optional("link_local")?.unwrap_or(false),
    };
    if let Err(error) = policy.check() {
        // The error begins with its field, as one of ours does.
        let text = error.to_string();
        let (field, problem) = text.split_once(": ").unwrap_or(("rules", &text));
        return Err(object.error(field, problem));
    }
    object.finish()?;
    Ok(Some(policy))
}

fn parse<T: FromStr>(text: &str, expected: &str) -> Result<T, String> {
    text.parse().map_err(|_not| expected.to_owned())
}
