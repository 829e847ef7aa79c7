//! Nothing is left.

use super::*;

fn count(records: &Path) -> usize {
    std::fs::read_dir(records).unwrap().count()
}

#[test]
fn what_is_undone_was_never_there() {
    let Some([outside, container]) = TestNet::some("what_is_undone_was_never_there") else {
        return;
    };
    veth(&outside, &container);
    let records = tempfile::tempdir().unwrap();
    let before = container.dump();
    let attached = attach(&container.path(), records.path(), OWNER).unwrap();
    assert_ne!(container.dump(), before);
    assert_eq!(count(records.path()), 1);
    drop(attached.interfaces);
    attached.attachment.undo().unwrap();
    container.becomes(&before);
    assert_eq!(count(records.path()), 0);

    // Forgotten, it undoes itself; the TAPs stay until their descriptors are closed.
    let Attached { interfaces, attachment } =
        attach(&container.path(), records.path(), OWNER).unwrap();
    drop(attachment);
    assert_ne!(container.dump(), before);
    assert_eq!(container.run("tc qdisc show dev eth0").matches("ingress").count(), 0);
    drop(interfaces);
    container.becomes(&before);
    assert_eq!(count(records.path()), 0);
}

#[test]
fn who_cannot_have_all_interfaces_has_none() {
    let Some([outside, container]) = TestNet::some("who_cannot_have_all_interfaces_has_none")
    else {
        return;
    };
    veth(&outside, &container);
    let path = container.path().display().to_string();
    // The second one's TAP cannot have so long packets (linux/drivers/net/tun.c, MAX_MTU).
    outside.run(&format!("ip link add peer1 type veth peer name net1 mtu 65535 netns {path}"));
    container.run("ip address add 10.1.0.2/24 dev net1");
    container.run("ip link set net1 up");
    let before = container.dump();
    let records = tempfile::tempdir().unwrap();
    let text = refusal(&container.path(), records.path());
    assert!(text.contains("interface net1: cannot set up the TAP beside it: "), "{text}");
    container.becomes(&before);
    assert_eq!(count(records.path()), 0);
}

#[test]
fn what_others_add_and_remove_meanwhile_is_theirs() {
    let test = "what_others_add_and_remove_meanwhile_is_theirs";
    let Some([outside, container]) = TestNet::some(test) else { return };
    veth(&outside, &container);
    let records = tempfile::tempdir().unwrap();
    let attached = attach(&container.path(), records.path(), OWNER).unwrap();
    container
        .run("tc filter add dev eth0 parent ffff: prio 9 protocol ip u32 match u8 0 0 flowid :1");
    attached.attachment.undo().unwrap();
    let filters = container.run("tc filter show dev eth0 ingress");
    assert!(filters.contains("pref 9") && !filters.contains("mirred"), "{filters}");
    container.run("tc qdisc del dev eth0 ingress");

    let attached = attach(&container.path(), records.path(), OWNER).unwrap();
    outside.run("ip link delete peer0");
    attached.attachment.undo().unwrap();
    assert_eq!(count(records.path()), 0);
}
