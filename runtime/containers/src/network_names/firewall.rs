//! The firewall that has netavark's rules: iptables', or nftables', which netavark 1.14 takes in Debian 13.

use super::netavark::{Netavark, Request};
use Firewall::{Iptables, Nftables};

/// The jump to the rules that keep networks apart. netavark takes it away with the last container of *any* network (1.4.0
/// `src/firewall/varktables/types.rs`, `get_network_chains`), and the others are open until the next set-up.
const ISOLATION: [&str; 3] = ["FORWARD", "-j", "NETAVARK_ISOLATION_1"];

/// iptables' programs, and whether of IPv6.
const PROGRAMS: [(&str, bool); 2] = [("iptables", false), ("ip6tables", true)];

/// Which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firewall {
    Iptables,
    Nftables,
}

/// What it has, each family's as text.
pub struct Rules {
    firewall: Firewall,
    families: Vec<(bool, String)>,
}

impl Firewall {
    /// The one that `netavark` takes.
    pub fn of(netavark: &Netavark) -> Self {
        match netavark.driver().as_deref() {
            Some("nftables") => Nftables,
            _ => Iptables,
        }
    }

    /// What it has now. A family that it does not tell of is left out.
    pub fn rules(self, netavark: &Netavark) -> Rules {
        let told = |program, arguments: &[&str]| {
            let rules = netavark.firewall(program, arguments)?;
            Some(String::from_utf8_lossy(&rules).into_owned())
        };
        let families = match self {
            Iptables => PROGRAMS
                .iter()
                .filter_map(|(program, ipv6)| {
                    Some((*ipv6, told(program, &["-w", "-t", "nat", "-S"])?))
                })
                .collect(),
            // One table has both.
            Nftables => told("nft", &["list", "ruleset", "inet"])
                .into_iter()
                .flat_map(|rules| [(false, rules.clone()), (true, rules)])
                .collect(),
        };
        Rules { firewall: self, families }
    }

    /// Puts back what keeps networks apart. nftables' stays: netavark removes single rules there (1.14.0
    /// `src/firewall/nft.rs`, `teardown_network`).
    pub fn keep_isolation(self, netavark: &Netavark) {
        if self != Iptables {
            return;
        }
        for (program, _) in PROGRAMS {
            let [chain, jump, to] = ISOLATION;
            if netavark.firewall(program, &["-w", "-C", chain, jump, to]).is_none() {
                let _ = netavark.firewall(program, &["-w", "-I", chain, "1", jump, to]);
            }
        }
    }
}

impl Rules {
    /// Whether the container's are among them: those of each subnet, and those of its ports.
    pub fn have(&self, request: &Request) -> bool {
        self.families.iter().all(|(ipv6, rules)| {
            // An internal network has none.
            let infos = request.network_info.iter().filter(|(_, info)| !info.internal);
            let of_family = infos.flat_map(|(name, info)| {
                let ips = request.networks.get(name).map_or(&[][..], |member| &member.static_ips);
                info.subnets.iter().zip(ips).filter(|(of, _)| of.subnet.is_ipv6() == *ipv6)
            });
            let of_family: Vec<_> = of_family.collect();
            let subnets = of_family.iter().all(|(of, _)| {
                rules.contains(&match self.firewall {
                    Iptables => format!(" -s {} ", of.subnet),
                    Nftables => format!(" saddr {} jump ", of.subnet),
                })
            });
            let mut ports = request.ports_of(*ipv6);
            subnets
                && ports.all(|container_port| match self.firewall {
                    _ if of_family.is_empty() => true,
                    // Its comments have the ID.
                    Iptables => rules.contains(request.container_id.as_str()),
                    // By whichever of its networks.
                    Nftables => of_family.iter().any(|(_, ip)| {
                        let at = std::net::SocketAddr::new(**ip, container_port);
                        rules.lines().any(|line| line.ends_with(&format!(" to {at}")))
                    }),
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(internal: bool) -> Request {
        let id = "0123456789abcdef".repeat(4);
        let port = |host_ip: &str| json!({"container_port": 80, "host_port": 8080, "host_ip": host_ip, "protocol": "tcp", "range": 1});
        let request = json!({
            "container_id": id,
            "container_name": "web",
            "networks": {"web": {
                "interface_name": "eth0", "static_ips": ["10.89.0.2", "fd00:89::2"], "aliases": [],
            }},
            "network_info": {"web": {
                "id": id, "name": "web", "driver": "bridge", "network_interface": "bulkhead0",
                "subnets": [
                    {"subnet": "10.89.0.0/24", "gateway": "10.89.0.1"},
                    {"subnet": "fd00:89::/64", "gateway": "fd00:89::1"},
                ],
                "ipv6_enabled": true, "internal": internal, "dns_enabled": true, "ipam_options": {}, "options": {},
            }},
            "port_mappings": [port(""), port("127.0.0.1")],
        });
        serde_json::from_value(request).unwrap()
    }

    /// As nft 1.1.3 lists what netavark 1.14.0 makes.
    const NFTABLES: [&str; 4] = [
        "\t\tip saddr 10.89.0.0/24 jump nv_01234567_10_89_0_0_nm24\n",
        "\t\tip6 saddr fd00:89::/64 jump nv_01234567_fd00-89--_nm64\n",
        "\t\ttcp dport 8080 dnat ip to 10.89.0.2:80\n",
        "\t\ttcp dport 8080 dnat ip6 to [fd00:89::2]:80\n",
    ];

    #[test]
    fn what_is_missing_is_noticed() {
        let with = |rules: &[&str]| {
            let rules = rules.concat();
            Rules { firewall: Nftables, families: vec![(false, rules.clone()), (true, rules)] }
        };
        assert!(with(&NFTABLES).have(&request(false)));
        for missing in NFTABLES {
            let left: Vec<&str> = NFTABLES.into_iter().filter(|rule| *rule != missing).collect();
            assert!(!with(&left).have(&request(false)), "{missing}");
        }
        assert!(with(&[]).have(&request(true)));
        // Another one's port.
        let other = NFTABLES.map(|rule| rule.replace("2:80", "22:80").replace("2]:80", "2]:8080"));
        assert!(!with(&other.each_ref().map(String::as_str)).have(&request(false)));
        // It does not tell of a family that the kernel lacks.
        assert!(Rules { firewall: Iptables, families: vec![] }.have(&request(false)));
    }
}
