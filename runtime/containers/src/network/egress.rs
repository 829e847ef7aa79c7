//! What a container may reach, and the filter that its VM has for that.

use std::net::IpAddr;

use egress_rules::{MAX_RESOLVERS, MAX_RULES, Policy, PolicyError, Rule, is_unroutable};
use protocol::{Interface, Resolver};
use serde::{Deserialize, Serialize};

/// What a container may reach; nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Egress {
    /// Addresses and names.
    pub rules: Vec<Rule>,
    /// Whether rules with addresses open link-local ones, at which clouds hand out credentials.
    #[serde(default)]
    pub link_local: bool,
}

impl Egress {
    /// Looks at what the type allows too much of: what is wrong, as the flag that says it.
    pub(crate) fn check(&self) -> Result<(), String> {
        // Who answers questions is known when it runs.
        let somebody = IpAddr::from([192, 0, 2, 1]);
        let policy = Policy {
            mac: [2, 0, 0, 0, 0, 1],
            ipv4: Vec::new(),
            ipv6: Vec::new(),
            resolvers: vec![somebody],
            rules: self.rules.clone(),
            link_local: self.link_local,
        };
        policy.check().map_err(|error| match error {
            PolicyError::LinkLocal { rule, .. } => format!(
                "--egress {rule}: this is link-local, where clouds hand out credentials: give --egress-link-local too"
            ),
            PolicyError::TooMany { given, .. } => {
                format!("--egress: {given} rules are too many: give {MAX_RULES} at most")
            }
            error => format!("--egress: {error}"),
        })
    }

    /// The filter of an interface whose guest asks these resolvers.
    pub(crate) fn policy(&self, interface: &Interface, resolver: &Resolver) -> Policy {
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for address in &interface.addresses {
            match address.ip {
                IpAddr::V4(ip) => ipv4.push(ip),
                IpAddr::V6(ip) => ipv6.push(ip),
            }
        }
        // One in the container itself is asked over no interface.
        let resolvers = resolver.nameservers.iter().copied().filter(|ip| !is_unroutable(*ip));
        Policy {
            mac: interface.mac.0,
            ipv4,
            ipv6,
            resolvers: resolvers.take(MAX_RESOLVERS).collect(),
            rules: self.rules.clone(),
            link_local: self.link_local,
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Cidr, MacAddress};

    use super::*;

    fn egress(rules: &[&str]) -> Egress {
        let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        Egress { rules, link_local: false }
    }

    #[test]
    fn what_can_have_no_effect_is_refused_by_its_flag() {
        for rules in [&[][..], &["dns", "example.org", "10.0.0.0/8:443"]] {
            assert_eq!(egress(rules).check(), Ok(()));
        }
        let metadata = egress(&["10.0.0.1", "169.254.169.254:80"]);
        let refused = metadata.check().unwrap_err();
        assert!(
            refused.starts_with("--egress 169.254.169.254:80: this is link-local"),
            "{refused}"
        );
        assert!(refused.ends_with("give --egress-link-local too"), "{refused}");
        assert_eq!(Egress { link_local: true, ..metadata }.check(), Ok(()));
        let many = egress(&vec!["10.0.0.1"; MAX_RULES + 1]);
        let expected = "--egress: 257 rules are too many: give 256 at most";
        assert_eq!(many.check(), Err(expected.to_owned()));
    }

    #[test]
    fn a_filter_knows_the_guests_addresses_and_whom_it_asks() {
        let cidr = |ip: &str| Cidr { ip: ip.parse().unwrap(), prefix: 24 };
        let interface = Interface {
            name: "eth0".into(),
            mac: MacAddress([2, 0x42, 10, 0, 2, 100]),
            mtu: 1500,
            addresses: vec![cidr("10.0.2.100"), cidr("fd00::100")],
            routes: vec![],
            neighbours: vec![],
        };
        let nameservers = ["127.0.0.53", "10.0.2.3", "::1", "fd00::3"];
        let nameservers = nameservers.map(|ip| ip.parse().unwrap()).to_vec();
        let resolver = Resolver { nameservers, ..Resolver::default() };
        let policy = egress(&["example.org"]).policy(&interface, &resolver);
        assert_eq!(policy.check(), Ok(()));
        assert_eq!(policy.mac, interface.mac.0);
        assert_eq!(policy.ipv4, [[10, 0, 2, 100].map(u8::from)].map(std::net::Ipv4Addr::from));
        assert_eq!(policy.ipv6.len(), 1);
        let expected: [IpAddr; 2] = ["10.0.2.3", "fd00::3"].map(|ip| ip.parse().unwrap());
        assert_eq!(policy.resolvers, expected);
    }
}
