use super::*;

fn link() -> Link {
    Link {
        interface: "eth7".to_owned(),
        mtu: 1500,
        host_loopback: false,
        guest_mac: MacAddress([2, 0x42, 10, 0, 2, 100]),
        gateway_mac: MacAddress([2, 0x42, 10, 0, 2, 2]),
        guest: Ipv4Addr::new(10, 0, 2, 100),
        prefix: 24,
        gateway: Ipv4Addr::new(10, 0, 2, 2),
        guest_v6: None,
        resolvers: (Ipv4Addr::new(10, 0, 2, 3), Ipv6Addr::new(0xfd00, 0, 0, 2, 0, 0, 0, 3)),
    }
}

#[test]
fn the_way_to_the_hosts_loopback_is_closed_unless_asked_for() {
    let closed = |link: &Link| arguments(link, &[]).contains(&"--no-map-gw".to_owned());
    assert!(closed(&link()));
    assert!(!closed(&Link { host_loopback: true, ..link() }));
}

#[test]
fn a_port_is_published_as_passt_has_it() {
    let port = |address: Option<&str>, protocol| PublishedPort {
        address: address.map(|address| address.parse().unwrap()),
        host_port: Some(8080),
        container_port: 80,
        protocol,
    };
    let ports = [
        port(None, Protocol::Tcp),
        port(Some("127.0.0.1"), Protocol::Udp),
        port(Some("::1"), Protocol::Tcp),
    ];
    let arguments = arguments(&link(), &ports).join(" ");
    let ports = "--tcp-ports 8080:80 --udp-ports 127.0.0.1/8080:80 --tcp-ports ::1/8080:80";
    assert!(arguments.ends_with(&format!("{ports} --ipv4-only")), "{arguments}");
}

#[test]
fn its_last_words_are_few_and_do_nothing() {
    assert_eq!(last_words(&b""[..]), "it said nothing");
    let said = b"one\nFailed to send 47 bytes to syslog\ntwo \x1b[2J\n\nthree\nfour\n";
    assert_eq!(last_words(&said[..]), "two \\u{1b}[2J | three | four");
    let much = last_words(io::repeat(b'x').take(1 << 20));
    assert!(much.len() <= TAIL && much.ends_with('…'), "{much}");
}

#[test]
fn one_that_cannot_start_says_why() {
    let mut nowhere = link();
    // None of these letters are in an interface's name.
    nowhere.interface = "no/such".to_owned();
    let Some(program) = Passt::find() else {
        println!("SKIPPED: one_that_cannot_start_says_why: {PROGRAM} is not on PATH");
        return;
    };
    let error = Passt::start(&program, &nowhere, &[]).unwrap_err().to_string();
    assert!(error.contains("before it was ready: ") && error.contains("no/such"), "{error}");
    let error = Passt::start(Path::new("/no/such/passt"), &link(), &[]).unwrap_err();
    assert!(matches!(error, NetworkError::Start(_)), "{error}");
    // Another program in its place.
    let error = Passt::start(Path::new("/bin/false"), &link(), &[]).unwrap_err().to_string();
    assert_eq!(error, "passt ended before it was ready: it said nothing");
}

#[test]
fn it_lives_as_long_as_the_other_end_of_its_socket() {
    let Some(program) = Passt::find() else {
        println!(
            "SKIPPED: it_lives_as_long_as_the_other_end_of_its_socket: {PROGRAM} is not on PATH"
        );
        return;
    };
    // There always is one.
    let link = Link { interface: "lo".to_owned(), ..link() };
    let (mut passt, socket) = Passt::start(&program, &link, &[]).unwrap();
    assert!(!passt.watch.as_ref().unwrap().is_finished());
    drop(socket);
    passt.watch.take().unwrap().join().unwrap();
    // Or as somebody wants it to.
    let (passt, socket) = Passt::start(&program, &link, &[]).unwrap();
    drop(passt);
    let mut rest = Vec::new();
    std::os::unix::net::UnixStream::from(socket).read_to_end(&mut rest).unwrap();
}
