use super::*;

fn port(host_port: Option<u16>, container_port: u16, protocol: Protocol) -> PublishedPort {
    PublishedPort { address: None, host_port, container_port, protocol }
}

fn user() -> NetworkPlan {
    let mode = NetworkMode::User(UserNetwork::default());
    NetworkPlan { mode, ..NetworkPlan::default() }
}

fn namespace(path: &str) -> NetworkPlan {
    NetworkPlan { mode: NetworkMode::Namespace(path.into()), ..NetworkPlan::default() }
}

#[test]
fn a_plan_is_written_and_read() {
    let full = NetworkPlan {
        exposed: vec![(81, Protocol::Tcp)],
        mode: NetworkMode::User(UserNetwork { mtu: 1500, host_loopback: true, required: true }),
        ports: vec![port(None, 80, Protocol::Tcp), port(Some(53), 53, Protocol::Udp)],
        mac: Some(MacAddress([2, 0, 0, 0, 0, 1])),
        ip: Some(Ipv4Addr::new(10, 0, 2, 7)),
        ip6: None,
        resolver: Resolver { search: vec![".".into()], ..Resolver::default() },
        hosts: vec![ExtraHost { name: "host".into(), address: HostAddress::Gateway }],
        sysctls: vec![Sysctl { key: "net.a.b".into(), value: "1".into() }],
        egress: Some(Egress { rules: vec!["example.org:443".parse().unwrap()], link_local: true }),
    };
    full.check().unwrap();
    for plan in [NetworkPlan::default(), user(), namespace("/run/netns/a"), full] {
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<NetworkPlan>(&text).unwrap(), plan, "{text}");
    }
    // One of before there were networks.
    assert_eq!(serde_json::from_str::<NetworkPlan>("{}").unwrap(), NetworkPlan::default());
    assert!(serde_json::from_str::<NetworkPlan>(r#"{"mode":"bridge"}"#).is_err());
}

#[test]
fn what_makes_no_sense_is_named_by_its_flag() {
    let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
    let with = |ports: &[PublishedPort]| NetworkPlan { ports: ports.to_vec(), ..user() };
    let any: Vec<_> = (1..=MAX_PORTS as u16).map(|number| port(None, number, tcp)).collect();
    for plan in [
        with(&[
            port(Some(80), 80, tcp),
            port(Some(80), 80, udp),
            port(None, 80, tcp),
            port(None, 80, tcp),
        ]),
        with(&any),
    ] {
        plan.check().unwrap();
    }
    let egress = Some(Egress::default());
    NetworkPlan { egress, ..namespace("/run/netns/a") }.check().unwrap();
    let localhost = Some(Ipv4Addr::LOCALHOST.into());
    let gateway = ExtraHost { name: "host".into(), address: HostAddress::Gateway };
    let mtu = |mtu| NetworkMode::User(UserNetwork { mtu, ..UserNetwork::default() });
    for (plan, named) in [
        (
            with(&[port(Some(80), 80, tcp), port(Some(80), 80, tcp)]),
            "--publish 80:80/tcp: port 80 of this host",
        ),
        (
            with(&[
                port(Some(80), 80, tcp),
                PublishedPort { address: localhost, ..port(Some(80), 81, tcp) },
            ]),
            "--publish 80:81/tcp: ",
        ),
        (with(&[port(Some(80), 0, tcp)]), "--publish: no port is 0"),
        (with(&[port(Some(0), 80, tcp)]), "--publish: no port is 0"),
        (with(&[&any[..], &[port(None, 1, udp)]].concat()), "--publish: 1025 ports"),
        (NetworkPlan { mode: mtu(1279), ..user() }, "--network user:mtu=1279: give 1280 to 65520"),
        (NetworkPlan { mode: NetworkMode::None, ..with(&any) }, "--publish needs a network"),
        (
            NetworkPlan { hosts: vec![gateway], ..NetworkPlan::default() },
            "--add-host with host-gateway needs",
        ),
        (NetworkPlan { ip6: Some(Ipv6Addr::LOCALHOST), ..NetworkPlan::default() }, "--ip6 needs"),
        (namespace("netns/a"), "--network ns:netns/a: give an absolute path"),
        (
            NetworkPlan { ports: vec![port(None, 80, tcp)], ..namespace("/run/netns/a") },
            "--publish is decided by whoever has made the network namespace of --network ns:/run/netns/a",
        ),
        (
            NetworkPlan { ip: Some(Ipv4Addr::LOCALHOST), ..namespace("/run/netns/a") },
            "--ip is decided",
        ),
        (
            NetworkPlan { mac: Some(MacAddress([2; 6])), ..namespace("/run/netns/a") },
            "--mac-address is decided",
        ),
    ] {
        let error = plan.check().unwrap_err();
        assert!(error.starts_with(named) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn names_are_asked_for_as_the_plan_says_and_else_as_the_host_does() {
    let host = || Resolver {
        nameservers: vec![Ipv4Addr::new(9, 9, 9, 9).into()],
        search: vec!["lan".into()],
        options: vec!["edns0".into()],
    };
    assert_eq!(user().resolver(Some(host())), host());
    assert_eq!(user().resolver(None), Resolver::default());
    let search = vec![".".into()];
    let plan = NetworkPlan { resolver: Resolver { search, ..Resolver::default() }, ..user() };
    assert_eq!(plan.resolver(Some(host())), Resolver { search: vec![], ..host() });
}
