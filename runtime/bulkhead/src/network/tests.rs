use proptest::prelude::*;

use super::*;
use crate::tests::run_arguments;

fn user(mtu: u32, host_loopback: bool) -> NetworkFlag {
    NetworkFlag::Mode(NetworkMode::User(UserNetwork { mtu, host_loopback, required: true }))
}

#[test]
fn networks_have_options() {
    assert_eq!(parse_network("none"), Ok(NetworkFlag::Mode(NetworkMode::None)));
    assert_eq!(parse_network("user"), Ok(user(65520, false)));
    assert_eq!(parse_network("user:mtu=1500"), Ok(user(1500, false)));
    assert_eq!(parse_network("user:host-loopback"), Ok(user(65520, true)));
    for both in ["user:mtu=1280,host-loopback", "user:host-loopback:mtu=1280"] {
        assert_eq!(parse_network(both), Ok(user(1280, true)), "{both}");
    }
}

#[test]
fn a_namespace_has_an_absolute_path() {
    let namespace = |path: &str| Ok(NetworkFlag::Mode(NetworkMode::Namespace(path.into())));
    assert_eq!(parse_network("ns:/run/netns/a:b c"), namespace("/run/netns/a:b c"));
    let here = std::env::current_dir().unwrap().join("a");
    assert_eq!(parse_network("ns:a"), namespace(here.to_str().unwrap()));
}

/// Each nonsense says what would be right.
fn refused<T: std::fmt::Debug>(parse: impl Fn(&str) -> Result<T, String>, cases: &[(&str, &str)]) {
    for (text, message) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(message) && !error.contains('\n'), "{text}: {error}");
    }
}

#[test]
fn what_is_wrong_with_a_network_is_named() {
    refused(
        parse_network,
        &[
            ("", "give none, user"),
            (
                "host",
                "give none, user, user with options, as user:mtu=1500,host-loopback, ns:PATH for",
            ),
            ("ns", "give the namespace's path, like ns:/run/netns/NAME"),
            ("ns:", "give the namespace's path"),
            ("bridge", "give none, user"),
            ("container:web", "give none, user"),
            ("USER:mtu=1500", "'USER:mtu=1500': there is no option 'mtu=1500'"),
            ("none:mtu=1", "none takes no options"),
            ("user:", "'' is no option of user: there are mtu=BYTES and host-loopback"),
            ("user:mtu", "'mtu' is no option"),
            ("user:mtu=1500,", "'' is no option"),
            ("user:host-loopback=1", "'host-loopback=1' is no option"),
            ("user:mtu=", "mtu=: give 1280 to 65520 bytes"),
            ("user:mtu=1279", "mtu=1279: give 1280 to 65520 bytes"),
            ("user:mtu=65521", "mtu=65521: give"),
            ("user:mtu=+1500", "mtu=+1500: give"),
            ("user:mtu=-1", "mtu=-1: give"),
            ("user:mtu=9999999999999999999", "mtu=9999999999999999999: give"),
            ("user:\n", "'\\n' is no option"),
        ],
    );
}

#[test]
fn names_and_addresses_are_read() {
    assert_eq!(parse_dns("9.9.9.9"), Ok(IpAddr::from([9, 9, 9, 9])));
    assert_eq!(parse_dns("127.0.0.1").map(|ip| ip.is_loopback()), Ok(true));
    assert!(parse_dns("2620:fe::fe").is_ok());
    let bad = "give a name server's address";
    let wrong = [
        "",
        "dns",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "::ffff:1.2.3.4",
        "9.9.9.9:53",
    ];
    refused(parse_dns, &wrong.map(|text| (text, bad)));

    assert_eq!(parse_dns_search("."), Ok(".".to_owned()));
    assert_eq!(parse_dns_search("svc.example.org"), Ok("svc.example.org".to_owned()));
    let long = "a".repeat(256);
    refused(
        parse_dns_search,
        &["", "a b", "a\nnameserver 6.6.6.6", "#", &long].map(|text| (text, "give a domain")),
    );
    assert_eq!(parse_dns_option("ndots:2"), Ok("ndots:2".to_owned()));
    refused(
        parse_dns_option,
        &["", "a b", "a\nb", "#"].map(|text| (text, "give an option of resolv.conf")),
    );

    assert_eq!(parse_ip("10.0.2.15"), Ok(Ipv4Addr::new(10, 0, 2, 15)));
    refused(
        parse_ip,
        &["", "10.0.2", "::1", "10.0.2.15/24"].map(|text| (text, "give an address of IPv4")),
    );
    assert!(parse_ip6("fd00:0:0:2::15").is_ok());
    refused(
        parse_ip6,
        &["", "10.0.2.15", "fd00::1/64", "[::1]"].map(|text| (text, "give an address of IPv6")),
    );
}

#[test]
fn hosts_are_dockers() {
    let host = |name: &str, address| Ok(ExtraHost { name: name.into(), address });
    let ip = |text: &str| HostAddress::Ip(text.parse().unwrap());
    assert_eq!(parse_add_host("db:10.0.0.7"), host("db", ip("10.0.0.7")));
    assert_eq!(parse_add_host("db=10.0.0.7"), host("db", ip("10.0.0.7")));
    assert_eq!(parse_add_host("db:fd00::7"), host("db", ip("fd00::7")));
    assert_eq!(parse_add_host("db:[fd00::7]"), host("db", ip("fd00::7")));
    assert_eq!(
        parse_add_host("Host.internal:host-gateway"),
        host("Host.internal", HostAddress::Gateway)
    );
    refused(
        parse_add_host,
        &[
            ("", "give NAME:ADDRESS"),
            ("db", "give NAME:ADDRESS, like db:10.0.0.7"),
            (":10.0.0.7", "'' is no name of a host"),
            ("a b:10.0.0.7", "'a b' is no name of a host"),
            ("a\n6.6.6.6 b:10.0.0.7", "'a\\n6.6.6.6 b' is no name"),
            ("db:", "'' is no address: give NAME:ADDRESS"),
            ("db:gateway", "'gateway' is no address"),
            ("db:10.0.0.7:80", "'10.0.0.7:80' is no address"),
            ("db:[fd00::7", "'[fd00::7' is no address"),
        ],
    );
}

#[test]
fn hardware_addresses_are_one_cards() {
    let mac = MacAddress([0x02, 0x42, 0xac, 0x11, 0, 0x0f]);
    assert_eq!(parse_mac("02:42:ac:11:00:0f"), Ok(mac));
    assert_eq!(parse_mac("02-42-AC-11-00-0F"), Ok(mac));
    let bad = "give six bytes in hexadecimal digits";
    for wrong in [
        "",
        "02:42:ac:11:00",
        "02:42:ac:11:00:0f:00",
        "2:42:ac:11:0:f",
        "02:42:ac:11:00:0g",
        "0242.ac11.000f",
        "+2:42:ac:11:00:0f",
    ] {
        refused(parse_mac, &[(wrong, bad)]);
    }
    refused(
        parse_mac,
        &[
            ("01:00:5e:00:00:01", "that is a group's address (its first byte is odd): give"),
            ("ff:ff:ff:ff:ff:ff", "that is a group's address"),
            ("00:00:00:00:00:00", "that is nobody's address"),
        ],
    );
}

#[test]
fn settings_are_of_the_network_only() {
    let sysctl = |key: &str, value: &str| Sysctl { key: key.into(), value: value.into() };
    assert_eq!(parse_sysctl("net.ipv4.ip_forward=1"), Ok(sysctl("net.ipv4.ip_forward", "1")));
    assert_eq!(parse_sysctl("net.ipv4.ping_group_range=0 5=6").unwrap().value, "0 5=6".into());
    refused(
        parse_sysctl,
        &[
            ("", "give NAME=VALUE"),
            ("net.ipv4.ip_forward", "give NAME=VALUE, like net.ipv4.ip_forward=1"),
            ("kernel.msgmax=1", "only settings of the network can be made: give net.NAME=VALUE"),
            ("=1", "only settings of the network"),
            ("net=1", "network: sysctl: \"net\""),
            ("net.ipv4/../../kernel/msgmax=1", "network: sysctl: "),
            ("net/../kernel/msgmax=1", "network: sysctl: "),
            ("net.ipv4.ip_forward=", "network: sysctl net.ipv4.ip_forward: "),
            ("net.ipv4.ip_forward=1\n2", "network: sysctl net.ipv4.ip_forward: "),
        ],
    );
    let both = [sysctl("net.a.b", "1"), sysctl("net/a/b", "2"), sysctl("net.a.c", "3")];
    assert_eq!(last_of_each(&both), both[1..]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_taken_makes_a_network(
        dns in ".*|[0-9.:a-f]*", search in ".*|[a-z.]*", option in ".*|[a-z:]*",
        host in ".*|[a-z]*[:=][0-9.:a-f]*", sysctl in ".*|net[./a-z0-9]*=.*",
    ) {
        let resolver = Resolver {
            nameservers: parse_dns(&dns).into_iter().collect(),
            search: parse_dns_search(&search).iter().map(|word| word.as_str().into()).collect(),
            options: parse_dns_option(&option).iter().map(|word| word.as_str().into()).collect(),
        };
        let network = Network {
            resolver,
            hosts: parse_add_host(&host).iter().map(super::host).collect(),
            sysctls: parse_sysctl(&sysctl).into_iter().collect(),
            ..Network::default()
        };
        prop_assert_eq!(network.check(), Ok(()));
    }
}

#[test]
fn networks_of_names_can_be_several_and_nothing_else_with_them() {
    let with = |flags: &[&str]| {
        let flags = run_arguments(&[&["run"], flags, &["image"]].concat()).flags;
        Ok::<_, String>((
            network(&flags, &[]).map_err(|error| error.line())?,
            wishes(&flags).map_err(|error| error.line())?,
        ))
    };
    let (plan, several) = with(&["--network", "web:alias=db", "--net", "other"]).unwrap();
    assert_eq!((plan.mode, several.len()), (NetworkMode::Names, 2));
    let own = ["--ip", "10.89.0.9", "--ip6", "fd00::9", "--mac-address", "02:00:00:00:00:09"];
    // Of the only one, docker's flags speak as well.
    let (plan, only) = with(&[&["--network", "web"], &own[..]].concat()).unwrap();
    assert_eq!(
        (plan.ip, plan.ip6, plan.mac, only[0].identity.addresses.len()),
        (None, None, None, 2)
    );
    assert_eq!(only[0].identity.mac.unwrap().to_string(), "02:00:00:00:00:09");
    for (flags, message) in [
        (&["--network", "none", "--network", "web"][..], "--network none excludes all others"),
        (&["--network", "user", "--network", "user"], "--network user excludes all others"),
        (
            &["--network", "a", "--network", "b", "--ip", "10.0.0.2"],
            "--ip: of several networks it is not said which: give --network NETWORK:ip=ADDRESS",
        ),
        (
            &["--network", "a:ip=10.0.0.3", "--ip", "10.0.0.2"],
            "--network a: ip=10.0.0.2: it has 10.0.0.3 already",
        ),
        (
            &["--network", "a:mac=02:00:00:00:00:01", "--mac-address", "02:00:00:00:00:02"],
            "--mac-address 02:00:00:00:00:02: --network a has another",
        ),
    ] {
        let error = with(flags).unwrap_err();
        assert!(error.starts_with(message) && !error.contains('\n'), "{error}");
    }
}
