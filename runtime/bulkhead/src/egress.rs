//! `--egress RULE`: what a container may reach; and what it was not let through to, for people and for programs.

use containers::network::{Egress, InterfaceUse};
use egress_rules::{Rule, RuleError, Traffic};
use protocol::{Cidr, Interface};
use serde_json::{Value, json};

use crate::error::CommandError;
use crate::output::table;

/// What may be reached.
pub fn parse_egress(text: &str) -> Result<Rule, String> {
    text.parse().map_err(|error: RuleError| error.to_string())
}

/// What the flags let through; `None`: everything.
pub fn egress(rules: &[Rule], link_local: bool) -> Result<Option<Egress>, CommandError> {
    let rules = rules.to_vec();
    match rules.is_empty() {
        true if link_local => {
            let message = "--egress-link-local is about rules: give --egress RULE too";
            Err(CommandError::Usage(message.to_owned()))
        }
        true => Ok(None),
        false => Ok(Some(Egress { rules, link_local })),
    }
}

/// As `--egress` takes them.
pub fn rule_facts(egress: Option<&Egress>) -> Value {
    egress.map(|egress| egress.rules.iter().map(Rule::to_string).collect::<Vec<_>>()).into()
}

/// What interfaces did, what their filters dropped, and the addresses of those that are there (`present`).
pub fn interface_facts(interfaces: &[InterfaceUse], present: &[Interface]) -> Value {
    let present_one = |name: &str| present.iter().find(|one| one.name == name);
    interfaces.iter().map(|interface| facts(interface, present_one(&interface.name))).collect()
}

fn facts(interface: &InterfaceUse, present: Option<&Interface>) -> Value {
    let addresses = present.iter().flat_map(|one| &one.addresses).map(Cidr::to_string);
    let traffic = |traffic: Traffic| json!({"Bytes": traffic.bytes, "Packets": traffic.packets, "Dropped": traffic.dropped});
    let counters = interface.report.counters;
    let egress = interface.report.egress.as_ref().map(|egress| {
        let destinations = egress.destinations.iter().map(|it| {
            json!({"Protocol": it.protocol, "Address": it.address, "Port": it.port, "Reason": it.reason.word(), "Count": it.count})
        });
        let names = egress.names.iter().map(|it| json!({"Name": it.name, "Count": it.count}));
        json!({
            "Dropped": egress.dropped,
            "Destinations": destinations.collect::<Value>(),
            "RefusedNames": names.collect::<Value>(),
        })
    });
    json!({
        "Name": interface.name,
        "MacAddress": present.map(|one| one.mac.to_string()).unwrap_or_default(),
        "Addresses": addresses.collect::<Vec<_>>(),
        "Received": traffic(counters.rx),
        "Sent": traffic(counters.tx),
        "Egress": egress,
    })
}

/// One line for a destination and the reason why nothing goes there, and one for a name, the last one first.
pub fn dropped_lines(interfaces: &[InterfaceUse]) -> String {
    let mut rows = Vec::new();
    for interface in interfaces {
        let Some(egress) = &interface.report.egress else { continue };
        let row = |count: u64, reason: &str, what: String| {
            vec![interface.name.clone(), count.to_string(), reason.to_owned(), what]
        };
        let destinations = egress.destinations.iter();
        rows.extend(destinations.map(|it| row(it.count, it.reason.word(), it.to_string())));
        rows.extend(egress.names.iter().map(|it| row(it.count, "refused", it.name.clone())));
    }
    let heading = ["INTERFACE", "FRAMES", "REASON", "DESTINATION"].map(str::to_owned).to_vec();
    table(&std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use egress_rules::{Counters, Destination, InterfaceReport, Reason, RefusedName, Report};
    use protocol::MacAddress;

    use super::*;
    use crate::network::network;
    use crate::tests::{parsed, run_arguments};

    fn interfaces() -> Vec<InterfaceUse> {
        let destination = |address: &str, port, reason| Destination {
            protocol: "tcp".to_owned(),
            address: address.parse().ok(),
            port: Some(port),
            count: 12,
            reason,
        };
        let destinations = vec![
            destination("93.184.216.34", 443, Reason::Rule),
            destination("fd00::7", 80, Reason::LinkLocal),
        ];
        let names = vec![RefusedName { name: "evil.example".to_owned(), count: 2 }];
        let egress = Some(Report { dropped: 26, destinations, names });
        let rx = Traffic { bytes: 100, packets: 2, dropped: 0 };
        let counters = Counters { rx, tx: Traffic { dropped: 26, ..rx } };
        let report = InterfaceReport { counters, egress };
        let open = InterfaceUse { name: "eth1".to_owned(), report: InterfaceReport::default() };
        vec![InterfaceUse { name: "eth0".to_owned(), report }, open]
    }

    #[test]
    fn what_was_dropped_is_a_line_each() {
        assert_eq!(
            dropped_lines(&interfaces()),
            "INTERFACE   FRAMES   REASON       DESTINATION\n\
             eth0        12       rule         tcp 93.184.216.34:443\n\
             eth0        12       link-local   tcp [fd00::7]:80\n\
             eth0        2        refused      evil.example\n"
        );
    }

    #[test]
    fn programs_get_all_of_it() {
        let present = Interface {
            name: "eth0".to_owned(),
            mac: MacAddress([2, 0, 0, 0, 0, 7]),
            mtu: 1500,
            addresses: vec![Cidr { ip: [10, 0, 0, 7].into(), prefix: 24 }],
            routes: vec![],
            neighbours: vec![],
        };
        let facts = interface_facts(&interfaces(), &[present]);
        assert_eq!(facts[0]["MacAddress"], "02:00:00:00:00:07");
        assert_eq!(facts[0]["Addresses"], json!(["10.0.0.7/24"]));
        assert_eq!((&facts[1]["MacAddress"], &facts[1]["Addresses"]), (&json!(""), &json!([])));
        assert_eq!(facts[0]["Sent"], json!({"Bytes": 100, "Packets": 2, "Dropped": 26}));
        let destination = &facts[0]["Egress"]["Destinations"][1];
        let expected = json!({"Protocol": "tcp", "Address": "fd00::7", "Port": 80, "Reason": "link-local", "Count": 12});
        assert_eq!(*destination, expected);
        assert_eq!(facts[0]["Egress"]["RefusedNames"][0]["Name"], "evil.example");
        assert_eq!((&facts[1]["Name"], &facts[1]["Egress"]), (&json!("eth1"), &Value::Null));
    }

    /// What these flags let through, or why they do not.
    fn wanted(flags: &[&str]) -> Result<Option<Egress>, String> {
        let arguments = run_arguments(&[&["run"], flags, &["image"]].concat());
        let plan = network(&arguments.flags, &[]).map_err(|error| error.to_string())?;
        Ok(plan.egress)
    }

    #[test]
    fn rules_are_a_part_of_the_plan() {
        assert_eq!(wanted(&[]), Ok(None));
        let flags = ["--egress", "Example.org.:443", "--egress=10.0.0.0/8", "--egress", "dns"];
        let egress = wanted(&flags).unwrap().unwrap();
        assert_eq!(rule_facts(Some(&egress)), json!(["example.org:443", "10.0.0.0/8", "dns"]));
        assert!(!egress.link_local);
        let flags = ["--egress", "169.254.169.254:80", "--egress-link-local"];
        assert!(wanted(&flags).unwrap().unwrap().link_local);
        assert_eq!(rule_facts(None), Value::Null);
    }

    #[test]
    fn a_rule_that_is_none_is_told_what_would_be_right() {
        for (flags, message) in [
            (
                &["--egress", "10.0.0.0/33"][..],
                "'10.0.0.0/33' for '--egress <RULE>': \"/33\" is no length of a network: give 0 to 32",
            ),
            (&["--egress", ""], "an egress rule is an address, a network, a name"),
            (&["--egress", "http://example.org"], "'http://example.org' for '--egress <RULE>': "),
            (&["--egress", "10.0.0.1:53"], "no rule opens port 53: give dns, or names"),
        ] {
            let refused = parsed(&[&["run"], flags, &["image"]].concat()).err().unwrap();
            assert!(refused.contains(message), "{refused}");
        }
        let refused = wanted(&["--egress", "169.254.169.254"]).unwrap_err();
        assert!(refused.contains("--egress 169.254.169.254: this is link-local"), "{refused}");
        let refused = wanted(&["--egress-link-local"]).unwrap_err();
        assert!(refused.contains("give --egress RULE too"), "{refused}");
        let refused = wanted(&["--network", "none", "--egress", "dns"]).unwrap_err();
        assert!(refused.contains("--egress needs a network"), "{refused}");
    }
}
