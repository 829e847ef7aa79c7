//! What cannot be a VM's is refused in one line.

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use super::*;

#[test]
fn what_is_no_network_namespace_is_refused() {
    let work = tempfile::tempdir().unwrap();
    let records = work.path().join("records");
    let file = work.path().join("file");
    std::fs::write(&file, "").unwrap();
    for path in [&file, work.path(), Path::new("/dev/null"), Path::new("/proc/self/ns/ipc")] {
        // Who may not enter any namespace is told that.
        let text = refusal(path, &records);
        let kind = text.contains(": is no network namespace; must be one, as in /run/netns");
        assert!(kind || text.contains("takes root") && path.starts_with("/proc"), "{text}");
    }
    let text = refusal(&work.path().join("nothing"), &records);
    assert!(
        text.ends_with("nothing: cannot open it: No such file or directory (os error 2)"),
        "{text}"
    );
    let text = refusal(Path::new("/proc/self/ns/net"), &records);
    assert!(
        text.ends_with("is this machine's own; a VM can have one that is made for it"),
        "{text}"
    );
}

#[test]
fn who_may_not_enter_is_told_so() {
    let Some([container]) = TestNet::some("who_may_not_enter_is_told_so") else { return };
    let records = tempfile::tempdir().unwrap();
    let (path, records) = (container.path(), records.path().to_owned());
    let text = std::thread::spawn(move || {
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::SYS_ADMIN);
        set_capabilities(None, sets).unwrap();
        refusal(&path, &records)
    });
    let text = text.join().unwrap();
    assert!(
        text.ends_with("may not be entered by this user: it takes root (CAP_SYS_ADMIN)"),
        "{text}"
    );
}

#[test]
fn interfaces_that_no_vm_can_have_are_refused() {
    let test = "interfaces_that_no_vm_can_have_are_refused";
    let Some([outside, container]) = TestNet::some(test) else { return };
    let records = tempfile::tempdir().unwrap();
    let refused = || refusal(&container.path(), records.path());
    let empty = "it has no Ethernet interface with an address besides lo; make one first";
    container.run("ip link set lo up");
    assert!(refused().ends_with(empty), "{}", refused());
    veth(&outside, &container);

    container.run("ip link set eth0 down");
    container.run("ip address add 10.0.0.3/24 dev eth0");
    let expected = "interface eth0: has addresses, but is down; must be up: ip link set eth0 up";
    assert!(refused().ends_with(expected), "{}", refused());
    container.run("ip link set eth0 up");

    container.run("ip route add 10.9.0.0/16 nexthop via 10.0.0.1 nexthop via 10.0.0.9");
    let expected =
        "interface eth0: the route to 10.9.0.0/16 has several next hops, which no guest is told";
    assert!(refused().ends_with(expected), "{}", refused());
    container.run("ip route del 10.9.0.0/16");
    container.run("ip route add 10.9.0.0/16 via inet6 fe80::1 dev eth0");
    assert!(refused().contains("10.9.0.0/16 has a next hop of another family"), "{}", refused());
    container.run("ip route del 10.9.0.0/16");

    container.run("ip tuntap add tun0 mode tun");
    container.run("ip address add 10.8.0.1/24 dev tun0");
    let expected = "interface tun0: is no Ethernet but tun, which no VM can have";
    assert!(refused().ends_with(expected), "{}", refused());
    container.run("ip link delete tun0");

    attach(&container.path(), records.path(), OWNER).unwrap();
}

#[test]
fn an_interface_is_one_vms_only() {
    let Some([outside, container]) = TestNet::some("an_interface_is_one_vms_only") else { return };
    veth(&outside, &container);
    let records = tempfile::tempdir().unwrap();
    let refused = || refusal(&container.path(), records.path());
    for line in ["tc qdisc add dev eth0 ingress", "tc qdisc add dev eth0 clsact"] {
        container.run(line);
        let before = container.dump();
        let kind = line.rsplit(' ').next().unwrap();
        let expected = format!(
            "interface eth0: somebody has given it the qdisc {kind}; must have none at its ingress"
        );
        assert!(refused().ends_with(&expected), "{}", refused());
        container.becomes(&before);
        container.run(&line.replace("add", "del"));
    }
    let _attached = attach(&container.path(), records.path(), OWNER).unwrap();
    let before = container.dump();
    let expected = "interface eth0: is another VM's already: that of container web, process 7";
    assert!(refused().ends_with(expected), "{}", refused());
    // Where that is written down, nobody knows here.
    let elsewhere = tempfile::tempdir().unwrap();
    let text = refusal(&container.path(), elsewhere.path());
    assert!(text.ends_with("interface eth0: is another VM's already"), "{text}");
    container.becomes(&before);
}

#[test]
fn of_two_at_once_one_gets_it() {
    let Some([outside, container]) = TestNet::some("of_two_at_once_one_gets_it") else { return };
    veth(&outside, &container);
    let records = tempfile::tempdir().unwrap();
    let before = container.dump();
    let results = std::thread::scope(|scope| {
        let threads: [_; 4] = std::array::from_fn(|_| {
            scope.spawn(|| attach(&container.path(), records.path(), OWNER))
        });
        threads.map(|thread| thread.join().unwrap())
    });
    let (attached, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((attached.len(), refused.len()), (1, 3));
    for error in refused.into_iter().map(Result::unwrap_err) {
        assert!(in_one_line(&error).contains("is another VM's already: that of"), "{error}");
    }
    drop(attached);
    container.becomes(&before);
}

#[test]
fn more_than_anybody_has_is_refused() {
    let Some([outside, container]) = TestNet::some("more_than_anybody_has_is_refused") else {
        return;
    };
    veth(&outside, &container);
    let records = tempfile::tempdir().unwrap();
    let refused = || refusal(&container.path(), records.path());
    let routes = |count: u32| {
        let line = |n: u32| format!("route add 172.16.{}.{} via 10.0.0.1\n", n >> 8, n & 0xff);
        (0..count).map(line).collect::<String>()
    };
    // More than a guest is told.
    container.run_with("ip -batch -", &routes(200));
    assert!(refused().contains("network: interface eth0: number of routes: "), "{}", refused());
    container.run("ip route flush root 172.16.0.0/16");
    container.run_with("ip -batch -", &routes(5000));
    assert!(
        refused().ends_with("cannot read its routes: there are more than 4096"),
        "{}",
        refused()
    );
    container.run("ip route flush root 172.16.0.0/16");
    let pair = |n: u32| format!("link add many{n} type veth peer name more{n}\n");
    let links: String = (0..150).map(pair).collect();
    container.run_with("ip -batch -", &links);
    assert!(
        refused().ends_with("cannot read its interfaces: there are more than 256"),
        "{}",
        refused()
    );
}
