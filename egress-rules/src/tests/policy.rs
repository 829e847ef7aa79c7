//! The floor, and policies.

use std::net::Ipv4Addr;

use super::rule;
use crate::*;

#[test]
fn the_floor_has_every_way_to_write_a_link_local_address() {
    for (text, expected) in [
        ("169.254.0.0", true),
        ("169.254.169.254", true),
        ("169.253.255.255", false),
        ("169.255.0.0", false),
        ("fe80::1", true),
        ("febf:ffff::1", true),
        ("fec0::1", false),
        ("::ffff:169.254.169.254", true),
        ("::ffff:169.255.169.254", false),
        ("::169.254.169.254", true),
        ("::ffff:0:169.254.169.254", true),
        ("64:ff9b::169.254.169.254", true),
        ("64:ff9b::8.8.8.8", false),
        ("64:ff9b:1::169.254.169.254", true),
        ("64:ff9b:1:a9fe:a9:fe00::", true),
        ("64:ff9b:1:0:a9:fea9:fe00:0", true),
        ("64:ff9b:1::8.8.8.8", false),
        ("2002:a9fe:a9fe::1", true),
        ("2002:808:808::1", false),
        ("2001:0:a9fe:a9fe::", true),
        ("2001::5601:5601", true),
        ("2001::1", false),
        ("2001:db8::5efe:169.254.169.254", true),
        ("2001:db8::200:5efe:169.254.169.254", true),
        ("2001:db8::5eff:169.254.169.254", false),
        ("fd00:ec2::254", false),
    ] {
        assert_eq!(is_link_local(text.parse().unwrap()), expected, "{text}");
    }
    for (text, expected) in [
        ("0.0.0.0", true),
        ("0.1.2.3", true),
        ("127.0.0.1", true),
        ("1.0.0.0", false),
        ("::", true),
        ("::1", true),
        ("::2", false),
        ("::ffff:127.1.2.3", true),
        ("::ffff:0.0.0.0", true),
        ("::ffff:1.1.1.1", false),
    ] {
        assert_eq!(is_unroutable(text.parse().unwrap()), expected, "{text}");
    }
}

fn policy() -> Policy {
    Policy {
        mac: [2, 0, 0, 0, 0, 1],
        ipv4: vec![Ipv4Addr::new(10, 0, 2, 15)],
        ipv6: vec!["fd00::15".parse().unwrap()],
        resolvers: vec!["10.0.2.3".parse().unwrap()],
        rules: vec![rule("dns"), rule("0.0.0.0/0")],
        link_local: false,
    }
}

#[test]
fn a_policy_names_the_field_that_is_wrong() {
    assert_eq!(policy().check(), Ok(()));
    let refused = |change: &dyn Fn(&mut Policy)| {
        let mut policy = policy();
        change(&mut policy);
        policy.check().unwrap_err().to_string()
    };
    let error = refused(&|policy| policy.mac[0] = 1);
    assert!(error.starts_with("mac: 01:00:00:00:00:01 is no interface's address"), "{error}");
    let error = refused(&|policy| policy.mac = [0; 6]);
    assert!(error.starts_with("mac: 00:00"), "{error}");
    for (field, address) in
        [("ipv4", "224.0.0.1"), ("ipv4", "255.255.255.255"), ("ipv4", "127.0.0.1")]
    {
        let error = refused(&|policy| policy.ipv4.push(address.parse().unwrap()));
        assert_eq!(
            error,
            format!("{field}[1]: {address} is the address of no single host on a network")
        );
    }
    let error = refused(&|policy| policy.resolvers.push("::1".parse().unwrap()));
    assert!(error.starts_with("resolvers[1]: ::1"), "{error}");
    let error = refused(&|policy| policy.rules = vec![Rule::Dns; MAX_RULES + 1]);
    assert_eq!(error, "rules: 257 are too many: give 256 at most");
    let error = refused(&|policy| policy.resolvers.clear());
    assert_eq!(error, "rules[0]: dns needs a resolver to ask, and resolvers is empty");
    for text in ["169.254.169.254:80", "169.254.0.0/17", "fe80::/12", "::ffff:169.254.1.1"] {
        let error = refused(&|policy| policy.rules.push(rule(text)));
        assert_eq!(
            error,
            format!("rules[2]: {text} is link-local, which takes link_local to be true as well")
        );
        let mut lifted = policy();
        lifted.link_local = true;
        lifted.rules.push(rule(text));
        assert_eq!(lifted.check(), Ok(()));
    }
    // Kubernetes' own cache of names.
    let mut cache = policy();
    cache.resolvers.push("169.254.20.10".parse().unwrap());
    assert_eq!(cache.check(), Ok(()));
}

#[test]
fn a_policy_is_read_from_json_strictly() {
    let text = serde_json::to_string(&policy()).unwrap();
    let without_mac = Policy { mac: [0; 6], ..policy() };
    assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), without_mac);
    let error = serde_json::from_str::<Policy>(r#"{"rule":[]}"#).unwrap_err();
    assert!(error.to_string().contains("unknown field `rule`"), "{error}");
    let error = serde_json::from_str::<Policy>(r#"{"rules":["a:0"]}"#).unwrap_err();
    assert!(error.to_string().contains("\"0\" is no port"), "{error}");
}
