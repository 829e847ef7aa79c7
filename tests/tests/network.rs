//! The network of an ordinary user, by passt, and that of somebody else's namespace: from a container to a server and back,
//! over both families. Each test has a network namespace of its own, in which nothing else listens.

#[path = "network/egress.rs"]
mod egress;
#[path = "network/interfaces.rs"]
mod interfaces;
#[path = "network/lengths.rs"]
mod lengths;
#[path = "network/loads.rs"]
mod loads;
#[path = "network/names.rs"]
mod names;
#[path = "network/namespace.rs"]
mod namespace;
#[path = "network/place.rs"]
mod place;
#[path = "network/pod.rs"]
mod pod;
#[path = "network/resolver.rs"]
mod resolver;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use bulkhead_tests::{
    NOT_LOOPBACK, PROGRAMS_OF_A_USER, Running, Server, World, alone, echoed, eventually, fetched,
    have, kill, words,
};
use place::{passt, setting};

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_container_reaches_the_host_if_that_is_asked_for() {
    let Some(world) = setting("a_container_reaches_the_host_if_that_is_asked_for") else { return };
    let (v4, v6) = (Server::start("127.0.0.1:0"), Server::start("[::1]:0"));
    let outside = Server::start(&format!("{NOT_LOOPBACK}:0"));
    let fetch = |patience: u32| {
        format!(
            "fetch() {{ busybox timeout {patience} busybox wget -q -O - $1 2>/dev/null || echo none; }}
             fetch http://10.0.2.2:{}; fetch http://[fd00:0:0:2::2]:{}; fetch http://{NOT_LOOPBACK}:{}",
            v4.port(),
            v6.port(),
            outside.port()
        )
    };
    let open = ["--network", "user:host-loopback"];
    world.shell(&open, "image", &fetch(300)).assert(0, "served\nserved\nserved\n", "");
    // Its other addresses are reached as by anybody. (Debian 12's passt refuses a call by a reset that Linux does not listen to.)
    world.shell(&[], "image", &fetch(20)).assert(0, "none\nnone\nserved\n", "");
    assert_eq!((v4.calls(), v6.calls(), outside.calls()), (1, 1, 2));
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_container_has_names_and_addresses() {
    let Some(world) = setting("a_container_has_names_and_addresses") else { return };
    resolver::resolver("127.0.0.1:53", Ipv4Addr::new(203, 0, 113, 9).into());
    let script = "
        cat /etc/resolv.conf /etc/hosts
        busybox ip -o addr show dev eth0 | awk '{ print $4 }'
        busybox ip route; busybox ip -6 route | grep default
        cat /sys/class/net/eth0/mtu /sys/class/net/eth0/address /proc/sys/net/ipv4/ip_forward
        busybox nslookup server.test 2>&1";
    let names =
        ["--hostname", "box", "--add-host", "db:10.0.0.7", "--add-host", "host:host-gateway"];
    let resolver = ["--dns", "10.0.2.2", "--dns-search", "lan", "--dns-option", "ndots:2"];
    let link = ["--network", "user:mtu=1400,host-loopback", "--ip", "10.0.2.7"];
    let kernel = ["--mac-address", "02:00:00:00:00:07", "--sysctl", "net.ipv4.ip_forward=1"];
    let flags = [&names[..], &resolver, &link, &kernel].concat();
    let outcome = world.shell(&flags, "image", script);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    for line in [
        "nameserver 10.0.2.2",
        "search lan",
        "options ndots:2",
        "127.0.0.1\tlocalhost",
        "10.0.0.7\tdb",
        "10.0.2.2\thost",
        "10.0.2.7\tbox",
        "fd00:0:0:2::100\tbox",
        "10.0.2.7/24",
        "fd00:0:0:2::100/64",
        "fe80::ff:fe00:7/64",
        "default via 10.0.2.2 dev eth0",
        "1400",
        "02:00:00:00:00:07",
        "1",
        "Address: 203.0.113.9",
    ] {
        let is_there = outcome.stdout.lines().any(|it| words(it) == words(line));
        assert!(is_there, "{line:?} is not in:\n{}", outcome.stdout);
    }
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn without_a_network_there_is_the_loopback_alone() {
    let Some(world) = setting("without_a_network_there_is_the_loopback_alone") else { return };
    let script =
        "ls /sys/class/net; cat /etc/resolv.conf; grep db /etc/hosts; busybox ip route | wc -l";
    let names = ["--dns", "9.9.9.9", "--add-host", "db:10.0.0.7"];
    let none = ["--network", "none"];
    let outcome = world.shell(&[&none[..], &names].concat(), "image", script);
    outcome.assert(0, "lo\nnameserver 9.9.9.9\n10.0.0.7\tdb\n0\n", "");
    // So it is where passt is missing, which is said.
    fs::create_dir(world.path("path")).unwrap();
    let bare = |flags: &[&str]| {
        let mut run = world.run(flags, "image", &["ls", "/sys/class/net"]);
        let program = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join("bulkhead"))
            .find(|file| file.is_file());
        let mut without = world.command(program.unwrap().to_str().unwrap());
        without.args(run.get_args()).env("PATH", world.path("path"));
        run = without;
        Running::start(&mut run, "").wait()
    };
    let outcome = bare(&[]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, "lo\n"), "{outcome:?}");
    let said =
        "apt-get install passt), or give --network none: the container runs without a network";
    assert!(outcome.stderr.contains(said) && outcome.stderr.lines().count() == 1, "{outcome:?}");
    for asked in [&["--network", "user"], &["-p", "80"]] {
        bare(asked).assert_refused(1, &["passt is missing", "apt-get install passt"]);
    }
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn published_ports_are_reached_told_and_kept() {
    let test = "published_ports_are_reached_told_and_kept";
    let Some(world) = setting(test) else { return };
    let Some(echo) = world.own_program(test, "udp-echo") else { return };
    fs::copy(echo, world.path("image/bin/udp-echo")).unwrap();
    let script = "busybox httpd -p 80 -h /etc; busybox httpd -p 81 -h /etc; exec udp-echo";
    let ports = ["-p", "8080:80", "-p", "127.0.0.1:0:81", "-p", "7000:7/udp"];
    let flags = [&["-d", "--name", "web", "--memory", "64M"], &ports[..]].concat();
    let outcome =
        Running::start(&mut world.run_as_docker(&flags, "image", &["sh", "-c", script]), "").wait();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    let on = |arguments: &[&str]| world.bulkhead(arguments, "");
    let is_up = |times: usize| eventually(|| on(&["logs", "web"]).stdout.lines().count() == times);
    assert!(is_up(1), "{:?}", on(&["logs", "web"]));

    let told = on(&["port", "web", "81"]).stdout;
    let chosen: SocketAddr = told.trim_end().parse().unwrap();
    assert!(chosen.ip() == Ipv4Addr::LOCALHOST && chosen.port() != 0, "{chosen}");
    let reached = || {
        for at in
            ["127.0.0.1:8080", "[::1]:8080", &format!("{NOT_LOOPBACK}:8080"), &chosen.to_string()]
        {
            assert!(fetched(at, "/passwd").contains("root:"), "{at}");
        }
        assert_eq!(echoed(&format!("{NOT_LOOPBACK}:7000"), b"over UDP"), b"over UDP");
    };
    reached();
    on(&["port", "web"]).assert(
        0,
        &format!(
            "7/udp -> 0.0.0.0:7000\n7/udp -> [::]:7000\n80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n81/tcp -> {chosen}\n"
        ),
        "",
    );
    let column = on(&["ps", "--format", "{{.Ports}}"]).stdout;
    for shown in [
        "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp",
        &format!("{chosen}->81/tcp"),
        "0.0.0.0:7000->7/udp",
    ] {
        assert!(column.contains(shown), "{shown} is not in {column}");
    }
    for (filter, listed) in
        [("publish=8000-8080", "web\n"), ("publish=80", ""), ("expose=80", "web\n")]
    {
        on(&["ps", "--format", "{{.Names}}", "--filter", filter]).assert(0, listed, "");
    }
    let template = "{{(index (index .NetworkSettings.Ports \"81/tcp\") 0).HostPort}} {{.NetworkSettings.IPAddress}} {{.NetworkSettings.Gateway}}";
    let shown = format!("{} 10.0.2.100 10.0.2.2\n", chosen.port());
    on(&["inspect", "-f", template, "web"]).assert(0, &shown, "");

    // Another container does not get them.
    let second = world.shell(&["-p", "8080:80"], "image", "true");
    second.assert_refused(1, &["port 8080/tcp of this host is taken by process", "passt"]);
    let second = world.shell(&["-p", "7000:80/udp"], "image", "true");
    second.assert_refused(1, &["port 7000/udp of this host is taken"]);

    // In its next life it has them again.
    on(&["restart", "-t", "0", "web"]).assert(0, "web\n", "");
    assert!(is_up(2), "{:?}", on(&["logs", "web"]));
    assert_eq!(on(&["port", "web", "81"]).stdout, told);
    reached();
    on(&["kill", "web"]).assert(0, "web\n", "");
    on(&["wait", "web"]).assert(0, "137\n", "");
    assert_eq!(on(&["port", "web"]).stdout, "");
    drop(TcpListener::bind("0.0.0.0:8080").unwrap());
    on(&["rm", "web"]).assert(0, "web\n", "");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn whatever_is_killed_the_network_is_gone_and_nothing_else() {
    let Some(world) = setting("whatever_is_killed_the_network_is_gone_and_nothing_else") else {
        return;
    };
    let on = |arguments: &[&str]| world.bulkhead(arguments, "");
    let start = |name: &str| {
        let flags = ["-d", "--name", name, "-p", "8080:80"];
        let outcome =
            Running::start(&mut world.run_as_docker(&flags, "image", &["sleep", "1000"]), "")
                .wait();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    };
    start("web");
    let carrier = || on(&["exec", "web", "cat", "/sys/class/net/eth0/carrier"]).stdout;
    assert_eq!(carrier(), "1\n");
    kill(passt(&world));
    assert!(eventually(|| carrier() == "0\n"), "{}", carrier());
    let id = on(&["inspect", "-f", "{{.Id}}", "web"]).stdout;
    let log =
        world.path(".local/share/bulkhead/containers").join(id.trim_end()).join("supervisor.log");
    let said = || fs::read_to_string(&log).unwrap();
    assert!(eventually(|| said().contains("passt was killed by signal 9")), "{}", said());
    assert!(eventually(|| said().contains("\"eth0\": nobody is at its other end")), "{}", said());
    // It is all there again with the next start.
    on(&["restart", "-t", "0", "web"]).assert(0, "web\n", "");
    assert_eq!(carrier(), "1\n");
    // Whoever has the VM ends, and so does the VM's network.
    kill(world.process("bulkhead"));
    assert!(eventually(|| world.processes().is_empty()), "{:?}", world.processes());
    drop(TcpListener::bind("0.0.0.0:8080").unwrap());
    on(&["rm", "web"]).assert(0, "web\n", "");
    start("web");
    kill(world.process("bulkhead-vmm"));
    on(&["wait", "web"]).assert(0, "137\n", "");
    on(&["rm", "web"]).assert(0, "web\n", "");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_port_that_is_taken_is_named_and_nothing_is_left() {
    let Some(world) = setting("a_port_that_is_taken_is_named_and_nothing_is_left") else { return };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let named = format!("port {port}/tcp of this host is taken by process {}", std::process::id());
    world.shell(&["-p", &format!("{port}:80")], "image", "true").assert_refused(1, &[&named]);
    let flags = ["-d", "--name", "web", "-p", &format!("{port}:80")];
    let outcome = Running::start(&mut world.run_as_docker(&flags, "image", &["true"]), "").wait();
    outcome.assert_refused(1, &[&named]);
    world.bulkhead(&["rm", "web"], "").assert(0, "web\n", "");
    let nowhere = world.shell(&["-p", "192.0.2.7:8080:80"], "image", "true");
    nowhere.assert_refused(1, &["port 8080/tcp of 192.0.2.7 cannot be published"]);
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn an_ordinary_user_needs_no_rights() {
    let test = "an_ordinary_user_needs_no_rights";
    if !have(test, &["passt", "ip"]) || !have(test, &PROGRAMS_OF_A_USER) || !alone(test) {
        return;
    }
    let Some(world) = World::new(test) else { return };
    world.give_to_user();
    let server = Server::start("127.0.0.1:0");
    let fetch = format!("busybox wget -q -O - http://10.0.2.2:{}", server.port());
    let run = ["run", "--rm", "--kernel", "kernel", "--network", "user:host-loopback"];
    let arguments = [&run[..], &["image", "sh", "-c", &fetch]].concat();
    Running::start(&mut world.bulkhead_of_user("", &arguments), "")
        .wait()
        .assert(0, "served\n", "");
    // Ports below 1024 are root's.
    let low = [&run[..4], &["-p", "80:80", "image", "true"]].concat();
    let outcome = Running::start(&mut world.bulkhead_of_user("", &low), "").wait();
    outcome.assert_refused(1, &["port 80/tcp of this host is root's, as all below 1024"]);
    world.assert_nothing_left();
}
