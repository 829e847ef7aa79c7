//! An owner that ends by a signal.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::*;

/// Says, in the environment, what the process that is going to be killed attaches to, and where its records are.
const NAMESPACE: &str = "BULKHEAD_TEST_NAMESPACE";
const RECORDS: &str = "BULKHEAD_TEST_RECORDS";

/// What it says when it has done so.
const DONE: &str = "attached";

/// The process that is going to be killed.
#[test]
fn an_owner_waits_for_its_end() {
    let (Some(path), Some(records)) = (std::env::var_os(NAMESPACE), std::env::var_os(RECORDS))
    else {
        return;
    };
    let attached = attach(path.as_ref(), records.as_ref(), OWNER).unwrap();
    println!("\n{DONE} {}", attached.interfaces.len());
    loop {
        std::thread::park();
    }
}

/// The process that is going to be killed at any moment: while it attaches, while it undoes that, or between.
#[test]
fn an_owner_comes_and_goes() {
    let (Some(path), Some(records)) = (std::env::var_os(NAMESPACE), std::env::var_os(RECORDS))
    else {
        return;
    };
    println!("\n{DONE}");
    loop {
        drop(attach(path.as_ref(), records.as_ref(), OWNER).unwrap());
    }
}

fn owner(container: &TestNet, records: &Path, test: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("network::attach::tests::killed::{test}"), "--nocapture"])
        .env(NAMESPACE, container.path())
        .env(RECORDS, records)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with(DONE)), "it ended before it was attached");
    child
}

fn kill(mut owner: Child) {
    owner.kill().unwrap();
    owner.wait().unwrap();
}

fn count(records: &Path) -> usize {
    std::fs::read_dir(records).unwrap().count()
}

#[test]
fn what_a_killed_owner_leaves_is_swept_by_the_next_start() {
    let test = "what_a_killed_owner_leaves_is_swept_by_the_next_start";
    let Some([outside, container]) = TestNet::some(test) else { return };
    veth(&outside, &container);
    let records = tempfile::tempdir().unwrap();
    let before = container.dump();
    let owner = owner(&container, records.path(), "an_owner_waits_for_its_end");
    // Its owner lives.
    let during = container.dump();
    sweep(records.path());
    assert_eq!(container.dump(), during);
    kill(owner);
    let left = container.dump();
    // The kernel removes the TAP, with what it had, and nothing from the interface.
    assert!(left.contains("Egress Redirect to device *") && !left.contains("bulkhead0"), "{left}");
    assert_eq!(count(records.path()), 1);
    sweep(records.path());
    container.becomes(&before);
    assert_eq!(count(records.path()), 0);
}

#[test]
fn what_a_killed_owner_leaves_is_in_nobodys_way() {
    let Some([outside, container]) = TestNet::some("what_a_killed_owner_leaves_is_in_nobodys_way")
    else {
        return;
    };
    veth(&outside, &container);
    let (lost, records) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let before = container.dump();
    kill(owner(&container, lost.path(), "an_owner_waits_for_its_end"));
    // Another user's, who does not know of those records.
    let attached = attach(&container.path(), records.path(), OWNER).unwrap();
    let during = container.dump();
    // And the first one's, who finds somebody else's there.
    sweep(lost.path());
    assert_eq!(container.dump(), during);
    assert_eq!(count(lost.path()), 0);
    drop(attached);
    container.becomes(&before);
}

#[test]
fn whenever_an_owner_is_killed_the_next_start_sweeps() {
    let test = "whenever_an_owner_is_killed_the_next_start_sweeps";
    let Some([outside, container]) = TestNet::some(test) else { return };
    veth(&outside, &container);
    let records = tempfile::tempdir().unwrap();
    let before = container.dump();
    for round in 0..24 {
        let owner = owner(&container, records.path(), "an_owner_comes_and_goes");
        // Any moment is as good as another: these are steps through what takes some milliseconds.
        std::thread::sleep(Duration::from_micros(700 * round));
        kill(owner);
        sweep(records.path());
        assert_eq!((container.dump(), count(records.path())), (before.clone(), 0), "{round}");
    }
}

#[test]
fn nothing_is_swept_before_the_vm_has_ended() {
    let test = "nothing_is_swept_before_the_vm_has_ended";
    let Some([outside, container]) = TestNet::some(test) else { return };
    veth(&outside, &container);
    let records = tempfile::tempdir().unwrap();
    let before = container.dump();
    let Attached { interfaces, mut attachment } =
        attach(&container.path(), records.path(), OWNER).unwrap();
    // As if killed: the lock is given back, but the VMM, which has the TAP, still runs.
    drop(attachment.record.take());
    drop(attachment);
    let during = container.dump();
    sweep(records.path());
    assert_eq!((container.dump(), count(records.path())), (during, 1));
    // Who wants the same interfaces waits for it.
    let next = std::thread::scope(|scope| {
        let next = scope.spawn(|| attach(&container.path(), records.path(), OWNER));
        drop(interfaces);
        next.join().unwrap().unwrap()
    });
    assert_eq!(count(records.path()), 1);
    drop(next);
    container.becomes(&before);
    assert_eq!(count(records.path()), 0);
}

#[test]
fn a_namespace_that_is_gone_needs_no_sweep() {
    let records = tempfile::tempdir().unwrap();
    let gone = records.path().join("gone");
    drop(Record::new(records.path(), b"bulkhead12345678", &gone, OWNER).unwrap());
    drop(
        Record::new(records.path(), b"bulkhead12345678", Path::new("/proc/self/ns/ipc"), OWNER)
            .unwrap(),
    );
    std::fs::write(&gone, "no namespace").unwrap();
    assert_eq!(count(records.path()), 3);
    // What another test starts has their locks until it is another program. The file is no record.
    until("the records are gone", || {
        sweep(records.path());
        count(records.path()) == 1
    });
}
