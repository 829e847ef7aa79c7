//! A process that has no descriptors left. The limit is the whole process's, so that the test is one of its own.

use std::fs::File;
use std::process::Command;

use super::*;

/// Set in the process that is to have few.
const FEW: &str = "BULKHEAD_TEST_FEW_FILES";
/// The test's full name.
const TEST: &str = "vsock::tests::few_files::without_descriptors_the_listener_rests";

#[test]
fn without_descriptors_the_listener_rests() {
    if std::env::var_os(FEW).is_none() {
        let mut same = Command::new(std::env::current_exe().unwrap());
        let output = same.args(["--exact", TEST]).env(FEW, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let mut bench = Bench::new();
    let mut program = UnixStream::connect(bench.path("")).unwrap();
    let limit = Rlimit { current: Some(64), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, limit).unwrap();
    let hoard: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    assert!(bench.is_ready(NOW));
    bench.work();
    assert!(!bench.is_ready(NOW), "the loop would spin");
    // It looks again after a while, in vain.
    for _ in 0..2 {
        assert!(bench.is_ready(NEVER));
        bench.work();
    }
    drop(hoard);
    // And nobody was sent away.
    program.write_all(b"CONNECT 52\n").unwrap();
    while bench.mem.read_obj::<u16>(GuestAddress(0x802)).unwrap() == bench.taken {
        assert!(bench.is_ready(NEVER));
        bench.work();
    }
    assert_eq!(bench.receive().2, REQUEST);
}
