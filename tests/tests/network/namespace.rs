//! The network of a namespace that somebody else has made, and what is left of a container in it: nothing.

use std::fs;

use bulkhead_tests::{
    FETCH, Outcome, Running, Server, World, busybox_folder, eventually, fetched, kill, tool, words,
};

use crate::pod::{GATEWAY, GATEWAY_V6, MAC, MTU, NEIGHBOUR, POD, POD_V6, Pod};

/// A server that says when it is there.
pub const SERVE: &str = "busybox httpd -p 80 -h /etc; echo up; exec sleep 1000";

/// A world with an image, and a namespace.
pub fn setting(test: &str) -> Option<(World, Pod)> {
    let pod = Pod::new(test)?;
    let world = World::new(test)?;
    busybox_folder(&world.path("image"));
    Some((world, pod))
}

/// `bulkhead run -d` of a shell script.
pub fn start(world: &World, flags: &[&str], script: &str) -> Outcome {
    let flags = [&["-d"], flags].concat();
    Running::start(&mut world.run_as_docker(&flags, "image", &["sh", "-c", script]), "").wait()
}

#[track_caller]
pub fn assert_started(outcome: &Outcome) {
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
}

/// Waits until the server of `web` has started so often, and asks it over both families.
#[track_caller]
pub fn assert_served(world: &World, times: usize) {
    let logs = || world.bulkhead(&["logs", "web"], "");
    let is_up = eventually(|| logs().stdout.matches("up\n").count() == times);
    assert!(is_up, "{:?}; {:?}", logs(), world.bulkhead(&["ps", "-a"], ""));
    for at in [format!("{POD}:80"), format!("[{POD_V6}]:80")] {
        assert!(fetched(&at, "/passwd").contains("root:"), "{at}");
    }
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_container_has_the_interfaces_of_a_namespace() {
    let Some((world, pod)) = setting("a_container_has_the_interfaces_of_a_namespace") else {
        return;
    };
    let on = |arguments: &[&str]| world.bulkhead(arguments, "");
    let (v4, v6) =
        (Server::start(&format!("{GATEWAY}:0")), Server::start(&format!("[{GATEWAY_V6}]:0")));
    let before = pod.dump();
    assert_started(&start(&world, &["--name", "web", &pod.flag()], SERVE));
    assert_served(&world, 1);
    let script = format!(
        "busybox wget -q -O - http://{GATEWAY}:{}; busybox wget -q -O - http://[{GATEWAY_V6}]:{}
         busybox ping -c 1 {GATEWAY} >/dev/null && echo pinged
         busybox ping -6 -c 1 {GATEWAY_V6} >/dev/null && echo pinged
         busybox ip -o addr show dev eth0 | awk '{{ print $4 }}'
         busybox ip route | grep default; busybox ip -6 route | grep default
         busybox ip neigh
         cat /sys/class/net/eth0/mtu /sys/class/net/eth0/address /etc/hosts",
        v4.port(),
        v6.port()
    );
    let outcome = on(&["exec", "web", "sh", "-c", &script]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    let lines: Vec<Vec<&str>> = outcome.stdout.lines().map(words).collect();
    assert_eq!(lines[..4], [["served"], ["served"], ["pinged"], ["pinged"]], "{outcome:?}");
    for line in [
        &format!("{POD}/24"),
        &format!("{POD_V6}/64"),
        &format!("default via {GATEWAY} dev eth0"),
        NEIGHBOUR,
        &MTU.to_string(),
        MAC,
    ] {
        let is_there = lines.iter().any(|it| it.join(" ").starts_with(line));
        assert!(is_there, "{line:?} is not in:\n{}", outcome.stdout);
    }
    let default = format!("default via {GATEWAY_V6} dev eth0");
    for part in [&default, "PERMANENT"] {
        assert!(outcome.stdout.contains(part), "{part:?} is not in:\n{}", outcome.stdout);
    }
    // From the other side.
    for (family, ip) in [("-4", POD), ("-6", POD_V6)] {
        tool("busybox", &["ping", family, "-c", "1", ip]);
    }

    // What is told of it.
    let facts =
        "{{.IPAddress}} {{.Gateway}} {{.GlobalIPv6Address}} {{.IPv6Gateway}} {{.MacAddress}}";
    let template = format!("{{{{with .NetworkSettings}}}}{facts}{{{{end}}}}");
    let shown = format!("{POD} {GATEWAY} {POD_V6} {GATEWAY_V6} {MAC}\n");
    on(&["inspect", "-f", &template, "web"]).assert(0, &shown, "");
    let template =
        "{{range .NetworkSettings.Interfaces}}{{.Name}} {{join .Addresses \" \"}}{{end}}";
    let shown = format!("eth0 {POD}/24 {POD_V6}/64\n");
    on(&["inspect", "-f", template, "web"]).assert(0, &shown, "");
    let mode = format!("ns:{}\n", pod.path());
    on(&["inspect", "-f", "{{.HostConfig.NetworkMode}}", "web"]).assert(0, &mode, "");
    on(&["ps", "--format", "{{.Networks}}"]).assert(0, &mode, "");
    let transfer = on(&["stats", "--no-stream", "--format", "{{.NetIO}}", "web"]).stdout;
    assert!(!transfer.contains("0B"), "{transfer}");

    // It is one VM's; the next one is told whose.
    let during = pod.dump();
    let second = start(&world, &["--rm", &pod.flag()], "true");
    let path = pod.path();
    let whose = "interface eth0: is another VM's already: that of container web, process";
    second.assert_refused(1, &[&format!("network namespace {path}: {whose}")]);
    assert_eq!(pod.dump(), during);

    // In its next life it has them again.
    on(&["restart", "-t", "0", "web"]).assert(0, "web\n", "");
    assert_served(&world, 2);
    on(&["rm", "-f", "web"]).assert(0, "web\n", "");
    assert_eq!(pod.dump(), before);
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn whatever_is_killed_the_namespace_is_as_it_was() {
    let Some((world, pod)) = setting("whatever_is_killed_the_namespace_is_as_it_was") else {
        return;
    };
    let on = |arguments: &[&str]| world.bulkhead(arguments, "");
    let before = pod.dump();
    let flags = ["--name", "web", "--restart", "always", &pod.flag()];
    assert_started(&start(&world, &flags, SERVE));
    assert_served(&world, 1);
    // The VM: its container is started again, by its policy.
    kill(world.process("bulkhead-vmm"));
    assert_served(&world, 2);
    // Whoever has the VM, and comes back while that ends.
    kill(world.process("bulkhead"));
    on(&["start", "web"]).assert(0, "web\n", "");
    assert_served(&world, 3);
    // And who does not come back: whoever looks at the container next puts that right.
    kill(world.process("bulkhead"));
    assert!(eventually(|| world.processes().is_empty()), "{:?}", world.processes());
    assert!(!pod.dump().contains("bulkhead0"), "{}", pod.dump());
    on(&["rm", "web"]).assert(0, "web\n", "");
    assert_eq!(pod.dump(), before);
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn egress_rules_hold_in_a_namespace() {
    let Some((world, pod)) = setting("egress_rules_hold_in_a_namespace") else { return };
    let on = |arguments: &[&str]| world.bulkhead(arguments, "");
    let [open, closed] = [0; 2].map(|_| Server::start(&format!("{GATEWAY}:0")));
    let [open_v6, closed_v6] = [0; 2].map(|_| Server::start(&format!("[{GATEWAY_V6}]:0")));
    let script = format!(
        "{FETCH} fetch 300 {GATEWAY}:{}; fetch 10 {GATEWAY}:{}
         fetch 300 [{GATEWAY_V6}]:{}; fetch 10 [{GATEWAY_V6}]:{}; {SERVE}",
        open.port(),
        closed.port(),
        open_v6.port(),
        closed_v6.port()
    );
    let rules =
        [format!("{GATEWAY}:{}", open.port()), format!("[{GATEWAY_V6}]:{}", open_v6.port())];
    let flags = ["--name", "web", &pod.flag(), "--egress", &rules[0], "--egress", &rules[1]];
    assert_started(&start(&world, &flags, &script));
    let said = || on(&["logs", "web"]).stdout;
    assert!(eventually(|| said().lines().count() == 5), "{}", said());
    assert_eq!(said(), "served\nnone\nserved\nnone\nup\n");
    assert_eq!([&open, &closed, &open_v6, &closed_v6].map(Server::calls), [1, 0, 1, 0]);
    let dropped = || on(&["logs", "--egress", "web"]).stdout;
    let told = [format!("{GATEWAY}:{}", closed.port()), closed_v6.port().to_string()];
    let is_told = || told.iter().all(|it| dropped().contains(it));
    assert!(eventually(is_told), "{}", dropped());
    on(&["rm", "-f", "web"]).assert(0, "web\n", "");
    world.assert_nothing_left();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn what_is_no_namespace_for_a_vm_is_refused_in_a_line() {
    let Some((world, pod)) = setting("what_is_no_namespace_for_a_vm_is_refused_in_a_line") else {
        return;
    };
    let before = pod.dump();
    let empty = Pod::empty("empty");
    fs::write(world.path("file"), "").unwrap();
    let refused = |status: i32, flags: &[&str], words: &[&str]| {
        let outcome = world.shell(flags, "image", "true");
        outcome.assert_refused(status, words);
    };
    let file = world.text("file");
    for (path, why) in [
        (world.text("nothing"), "cannot open it: No such file or directory"),
        (file.clone(), "is no network namespace; must be one, as in /run/netns"),
        ("/proc/self/ns/ipc".to_owned(), "is no network namespace"),
        ("/proc/self/ns/net".to_owned(), "is this machine's own"),
        ("/proc/1/ns/net".to_owned(), "is this machine's own"),
        (empty.path(), "it has no Ethernet interface with an address besides lo"),
    ] {
        let flag = format!("ns:{path}");
        refused(1, &["--network", &flag], &[&format!("network namespace {path}: {why}")]);
    }
    // A path is that of who gives it.
    refused(1, &["--network", "ns:file"], &[&format!("network namespace {file}: is no network")]);
    for (flag, value) in
        [("--publish", "80"), ("--ip", "10.0.2.7"), ("--mac-address", "02:00:00:00:00:01")]
    {
        let words = format!("{flag} is decided by whoever has made the network namespace");
        refused(2, &[&pod.flag(), flag, value], &[&words]);
    }
    refused(2, &["--network", "ns:"], &["give the namespace's path, like ns:/run/netns/NAME"]);
    assert_eq!(pod.dump(), before);
    world.assert_nothing_left();
}
