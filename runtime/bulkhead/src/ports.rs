//! Published ports, as docker shows them.

use std::net::{IpAddr, SocketAddr};

use containers::container::State;
use containers::network::{Binding, PublishedPort};
use serde_json::{Map, Value, json};

/// Where on the host the ports of a container are. One that does not run has none.
pub fn bindings(state: &State) -> Vec<Binding> {
    if state.status.is_live() { state.network.bindings() } else { Vec::new() }
}

/// `80/tcp`.
pub fn container_port(binding: &Binding) -> String {
    format!("{}/{}", binding.container_port, binding.protocol)
}

/// `0.0.0.0:8080`, `[::]:8080`.
pub fn host_port(binding: &Binding) -> String {
    SocketAddr::new(binding.host_ip, binding.host_port).to_string()
}

/// The column PORTS of `ps` (docker/cli `formatter.DisplayablePorts`): ports that are the same on both sides are put together
/// where they follow each other, and the others stand behind them.
pub fn column(bindings: &[Binding]) -> String {
    let mut groups: Vec<(IpAddr, u16, Binding)> = Vec::new();
    let (same, others): (Vec<&Binding>, Vec<&Binding>) =
        bindings.iter().partition(|binding| binding.host_port == binding.container_port);
    for binding in same {
        let follows = |(ip, last, first): &&mut (IpAddr, u16, Binding)| {
            *ip == binding.host_ip
                && first.protocol == binding.protocol
                && last.checked_add(1) == Some(binding.host_port)
        };
        match groups.iter_mut().find(follows) {
            Some((_, last, _)) => *last = binding.host_port,
            None => groups.push((binding.host_ip, binding.host_port, *binding)),
        }
    }
    let of_group = |(_, last, first): (IpAddr, u16, Binding)| {
        let from = host_port(&first);
        let (end, to) = (last.to_string(), first.protocol);
        match last == first.host_port {
            true => format!("{from}->{end}/{to}"),
            false => format!("{from}-{end}->{}-{end}/{to}", first.container_port),
        }
    };
    let shown = groups.into_iter().map(of_group);
    let others = others.into_iter().map(|it| format!("{}->{}", host_port(it), container_port(it)));
    shown.chain(others).collect::<Vec<_>>().join(", ")
}

/// `NetworkSettings.Ports` of `inspect`.
pub fn facts(bindings: &[Binding]) -> Value {
    let mut facts = Map::new();
    for binding in bindings {
        let entry = facts.entry(container_port(binding)).or_insert_with(|| json!([]));
        let fact = json!({ "HostIp": binding.host_ip.to_string(), "HostPort": binding.host_port.to_string() });
        entry.as_array_mut().into_iter().for_each(|all| all.push(fact.clone()));
    }
    facts.into()
}

/// `HostConfig.PortBindings` of `inspect`: what was asked for.
pub fn wanted(ports: &[PublishedPort]) -> Value {
    let mut facts = Map::new();
    for port in ports {
        let key = format!("{}/{}", port.container_port, port.protocol);
        let text = |value: Option<String>| value.unwrap_or_default();
        let fact = json!({
            "HostIp": text(port.address.map(|address| address.to_string())),
            "HostPort": text(port.host_port.map(|port| port.to_string())),
        });
        let entry = facts.entry(key).or_insert_with(|| json!([]));
        entry.as_array_mut().into_iter().for_each(|all| all.push(fact.clone()));
    }
    facts.into()
}

#[cfg(test)]
mod tests {
    use containers::network::Protocol;

    use super::*;

    fn binding(host_ip: &str, host_port: u16, container_port: u16, protocol: Protocol) -> Binding {
        Binding { container_port, protocol, host_ip: host_ip.parse().unwrap(), host_port }
    }

    #[test]
    fn ports_are_shown_as_in_docker() {
        use Protocol::{Tcp, Udp};
        assert_eq!(column(&[]), "");
        let both = [binding("0.0.0.0", 8080, 80, Tcp), binding("::", 8080, 80, Tcp)];
        assert_eq!(column(&both), "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp");
        let many = [
            binding("0.0.0.0", 80, 80, Tcp),
            binding("0.0.0.0", 81, 81, Tcp),
            binding("0.0.0.0", 81, 81, Udp),
            binding("0.0.0.0", 82, 82, Tcp),
            binding("0.0.0.0", 9000, 90, Tcp),
            binding("127.0.0.1", 83, 83, Tcp),
        ];
        assert_eq!(
            column(&many),
            "0.0.0.0:80-82->80-82/tcp, 0.0.0.0:81->81/udp, 127.0.0.1:83->83/tcp, 0.0.0.0:9000->90/tcp"
        );
        assert_eq!(
            facts(&both),
            json!({"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}]})
        );
        let port =
            PublishedPort { address: None, host_port: None, container_port: 80, protocol: Udp };
        assert_eq!(wanted(&[port]), json!({"80/udp": [{"HostIp": "", "HostPort": ""}]}));
    }
}
