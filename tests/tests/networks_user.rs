//! Networks of names of an ordinary user, in namespaces of that user's own with pasta as their way out. What needs no VM is tried
//! without one: a test asks for places on networks in a supervisor's stead.

#[path = "networks_user/guest.rs"]
mod guest;
#[path = "networks_user/helper.rs"]
mod helper;
#[path = "networks_user/place.rs"]
mod place;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, UdpSocket};

use bulkhead_tests::{
    FETCH, NOT_LOOPBACK, Running, Server, echoed, eventually, fetched, kill, tool,
};
use guest::Guest;
use helper::Helper;
use place::Place;
use rustix::process::{Pid, Signal, kill_process};

/// Answers each call to an address of the host's with a page; who that is.
fn serve_outside() -> String {
    format!("{NOT_LOOPBACK}:{}", Server::start(&format!("{NOT_LOOPBACK}:0")).port())
}

/// Containers that do not run, on a network.
fn create(place: &Place, names: &[&str], flags: &[&str]) {
    for name in names {
        let flags = [&["--name", name, "--network", "web"], flags].concat();
        let outcome = place.with_script("create", &flags, "true");
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    }
}

#[test]
fn a_home_lasts_as_long_as_somebody_is_in_it() {
    let Some(place) = Place::new("a_home_lasts_as_long_as_somebody_is_in_it") else { return };
    place.says(&["network", "create", "web"]);
    create(&place, &["one", "two"], &[]);
    let (one, two) = (Helper::joined(&place, "one"), Helper::joined(&place, "two"));
    assert_eq!((one.address(), two.address()), ("10.89.0.2", "10.89.0.3"));
    let (home, busybox) = (place.home(), place.world.text("image/bin/busybox"));
    // Both are known there by name, and the world is reached from there.
    let names = place.at_home(&["sh", "-c", "cat /run/bulkhead/networks/aardvark-dns/*"]);
    for (name, helper) in [("one", &one), ("two", &two)] {
        let is_it = |line: &str| line.contains(helper.address()) && line.contains(name);
        assert!(names.lines().any(is_it), "{names}");
    }
    let address = format!("http://{}", serve_outside());
    let said = place.at_home(&[&busybox, "wget", "-q", "-O", "-", &address]);
    assert_eq!(said, "served\n");
    // Not so the host's loopback interface, by whatever address.
    let own = TcpListener::bind("127.0.0.1:0").unwrap();
    own.set_nonblocking(true).unwrap();
    for gateway in ["10.0.2.2", "127.0.0.1"] {
        let address = format!("http://{gateway}:{}", own.local_addr().unwrap().port());
        let wget = [&busybox, "timeout", "5", &busybox, "wget", "-q", "-O", "-"];
        place.at_home(&[&wget[..], &[&address]].concat());
        assert_eq!(own.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "{gateway}");
    }
    let all = place.inhabitants();
    // Its first process, two helpers, the name server.
    assert_eq!(all.len(), 4, "{all:?}");
    drop(one);
    assert_eq!(place.home(), home);
    drop(two);
    place.assert_nothing_left();
    let is_there = |process: &u32| std::path::Path::new(&format!("/proc/{process}")).exists();
    assert!(eventually(|| !all.iter().any(is_there)), "{all:?}");
    place.says(&["rm", "one", "two"]);
    place.says(&["network", "rm", "web"]);
}

#[test]
fn ports_lead_to_a_container_and_it_reaches_others() {
    let Some(place) = Place::new("ports_lead_to_a_container_and_it_reaches_others") else { return };
    place.says(&["network", "create", "web"]);
    place.says(&["network", "create", "other"]);
    create(&place, &["one"], &["-p", "127.0.0.1:8080:80", "-p", "127.0.0.1:5353:7/udp"]);
    create(&place, &["two"], &[]);
    let (mut one, mut two) = (Helper::joined(&place, "one"), Helper::joined(&place, "two"));
    let (first, second) = (Guest::new(&mut one), Guest::new(&mut two));
    // The caller is the network's gateway, as the container sees it.
    let listener = first.within(|| TcpListener::bind("0.0.0.0:80").unwrap());
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, peer) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            write!(stream, "HTTP/1.0 200 OK\r\n\r\n{}\n", peer.ip()).unwrap();
        }
    });
    assert!(fetched("127.0.0.1:8080", "/").ends_with("\n10.89.0.1\n"));
    let echo = first.within(|| UdpSocket::bind("0.0.0.0:7").unwrap());
    std::thread::spawn(move || {
        let mut bytes = [0; 2048];
        while let Ok((length, peer)) = echo.recv_from(&mut bytes) {
            let _ = echo.send_to(&bytes[..length], peer);
        }
    });
    assert_eq!(echoed("127.0.0.1:5353", b"hello"), b"hello");
    // From the other by its own address, and out of the host.
    let address = format!("{}:80", one.address());
    assert!(second.within(move || fetched(&address, "/")).ends_with("\n10.89.0.3\n"));
    let outside = serve_outside();
    assert!(second.within(move || fetched(&outside, "/")).ends_with("served\n"));
    // By its name.
    let known = second.within(|| {
        let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03one\0\0\x01\0\x01";
        echoed("10.89.0.1:53", question)
    });
    assert!(known.ends_with(&[10, 89, 0, 2]), "{known:?}");
    server.join().unwrap();
    drop((first, second, one, two));
    place.assert_nothing_left();
}

#[test]
fn whatever_of_a_home_is_killed_nothing_is_left_and_the_next_one_starts() {
    let test = "whatever_of_a_home_is_killed_nothing_is_left_and_the_next_one_starts";
    let Some(place) = Place::new(test) else { return };
    place.says(&["network", "create", "web"]);
    create(&place, &["one", "two"], &[]);
    type Victims = fn(&Place) -> Vec<u32>;
    let victims: [(&str, Victims); 4] = [
        ("its first process", |place| vec![place.home()]),
        ("pasta", |place| vec![place.pasta()]),
        ("pasta and its first process", |place| vec![place.home(), place.pasta()]),
        ("all", |place| place.inhabitants()),
    ];
    for (what, find) in victims {
        let (one, two) = (Helper::joined(&place, "one"), Helper::joined(&place, "two"));
        let all = place.inhabitants();
        find(&place).into_iter().for_each(kill_if_there);
        // Both notice.
        assert!(eventually(|| one.has_ended() && two.has_ended()), "{what}");
        let is_there = |process: &u32| std::path::Path::new(&format!("/proc/{process}")).exists();
        assert!(eventually(|| !all.iter().any(is_there)), "{what}");
        drop((one, two));
        drop(Helper::joined(&place, "two"));
        place.assert_nothing_left();
    }
    // A helper: the other stays.
    let (one, two) = (Helper::joined(&place, "one"), Helper::joined(&place, "two"));
    kill(one.child.borrow().id());
    assert!(eventually(|| one.has_ended()));
    assert!(eventually(|| place.inhabitants().len() == 3), "{:?}", place.inhabitants());
    drop(one);
    drop(two);
    drop(Helper::joined(&place, "one"));
    place.assert_nothing_left();
}

#[test]
fn what_is_missing_is_named_in_one_line() {
    let Some(place) = Place::new("what_is_missing_is_named_in_one_line") else { return };
    place.says(&["network", "create", "web"]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let number = port.local_addr().unwrap().port();
    create(&place, &["one"], &["-p", &format!("127.0.0.1:{number}:80")]);
    let refused = Helper::start(&place, "one");
    // By root, of whose processes a user knows nothing.
    assert_eq!(refused.refusal(), format!("port {number}/tcp of 127.0.0.1 is taken"));
    drop((refused, port));
    let joined = Helper::joined(&place, "one");
    assert_eq!(joined.answer["Joined"]["ports"][0]["host_port"], number);
    drop(joined);
    place.assert_nothing_left();

    // A host that lets users have no TAPs: what pasta has begun is ended.
    tool("chmod", &["600", "/dev/net/tun"]);
    let refused = Helper::start(&place, "one");
    let said = refused.refusal();
    // It may have said more: of a host that asks nobody for names, that.
    assert!(said.contains("pasta says: ") && said.contains("Failed to open tun"), "{said}");
    drop(refused);
    place.assert_nothing_left();

    // A host without pasta.
    let bare = ["PATH=/no", "./bulkhead", "network", "connect", "web", "one"];
    let refused = Running::start(&mut place.command("/usr/bin/env", &bare), "").wait();
    refused.assert_refused(1, &["need pasta", "apt-get install passt"]);
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_users_containers_find_each_other_are_reached_and_reach_others() {
    let test = "a_users_containers_find_each_other_are_reached_and_reach_others";
    let Some(place) = Place::new(test) else { return };
    let Some(echo) = place.world.own_program(test, "udp-echo") else { return };
    std::fs::copy(echo, place.world.path("image/bin/udp-echo")).unwrap();
    place.says(&["network", "create", "web"]);
    place.says(&["network", "create", "--internal", "in"]);
    let outside = serve_outside();
    let published = ["-p", "8080:80", "-p", "127.0.0.1:5353:7/udp"];
    place.serve(
        "db",
        &[&["--network", "web:alias=data", "--network", "in"], &published[..]].concat(),
    );
    place.serve("lone", &["--network", "in"]);
    let fetch = |network: &str, patience: &str, what: &str| {
        let script = format!("{FETCH} fetch {patience} {what}");
        let outcome = place.with_script("run", &["--rm", "--network", network], &script);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
        outcome.stdout
    };
    // By name, by address, and out of the host; of an internal network only the others.
    let v4 = place.address("db", "web");
    let said = place.within("db", &format!("{FETCH} fetch 300 lone; fetch 300 {outside}"));
    assert_eq!(said, "lone\nserved\n");
    assert_eq!(fetch("web", "300", "data"), "db\n");
    assert_eq!(fetch("web", "300", &v4.to_string()), "db\n");
    assert_eq!(fetch("in", "300", "db"), "db\n");
    assert_eq!(fetch("in", "10", &outside), "none\n");
    assert_eq!(fetch("web", "10", "lone"), "none\n");

    // From the host, by each of its addresses.
    for at in ["127.0.0.1:8080", &format!("{NOT_LOOPBACK}:8080")] {
        assert!(fetched(at, "/").ends_with("db\n"), "{at}");
    }
    assert_eq!(echoed("127.0.0.1:5353", b"hello"), b"hello");
    let taken = ["--rm", "--network", "web", "-p", "8080:80"];
    let refused = place.with_script("run", &taken, "true");
    refused.assert_refused(1, &["port 8080/tcp of this host is taken by process"]);
    assert!(place.says(&["port", "db"]).contains("80/tcp -> 0.0.0.0:8080"));

    // The same address in its next life.
    place.says(&["restart", "-t", "0", "db"]);
    place.is_up("db", 2);
    assert_eq!(place.address("db", "web"), v4);
    assert!(fetched("127.0.0.1:8080", "/").ends_with("db\n"));
    for name in ["db", "lone"] {
        place.says(&["rm", "-f", name]);
    }
    place.says(&["network", "rm", "web", "in"]);
    drop(TcpListener::bind("0.0.0.0:8080").unwrap());
    place.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn whatever_of_a_users_is_killed_nothing_is_left() {
    let Some(place) = Place::new("whatever_of_a_users_is_killed_nothing_is_left") else { return };
    place.says(&["network", "create", "web"]);
    place.serve("one", &["--network", "web", "-p", "8080:80"]);
    let mut lives = 1;
    let mut again = || {
        place.on(&["wait", "one"]);
        place.assert_nothing_left();
        place.says(&["start", "one"]);
        lives += 1;
        place.is_up("one", lives);
    };
    // The VM, whose supervisor cleans up; and the supervisor, whose helper does.
    kill(place.world.process("bulkhead-vmm"));
    again();
    kill(place.supervisor("one"));
    assert!(eventually(|| place.world.processes().is_empty()));
    again();
    // Everything, in whatever order.
    place.world.processes().into_iter().for_each(kill_if_there);
    assert!(eventually(|| place.world.processes().is_empty()));
    let outcome = place.with_script("run", &["--rm", "--network", "web"], "echo up");
    outcome.assert(0, "up\n", "");
    place.says(&["rm", "one"]);
    place.says(&["network", "rm", "web"]);
    place.assert_nothing_left();
}

/// It may have ended with another.
fn kill_if_there(process: u32) {
    let process = Pid::from_raw(process as i32).unwrap();
    let _ = kill_process(process, Signal::KILL);
}
