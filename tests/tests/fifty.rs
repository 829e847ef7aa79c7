//! Many containers, one after the other: the last leaves no more than the first.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use bulkhead_tests::{Images, Running, World};

/// An emulated aarch64 host takes twice as long for each, and what is counted is the same code: three of each kind there.
const CONTAINERS: usize = if cfg!(target_arch = "aarch64") { 9 } else { 50 };

/// What a machine has more of when something is left.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    files: BTreeSet<PathBuf>,
    mounts: Vec<String>,
    /// Unix sockets with a name, of files or not (proc_net(5)).
    sockets: Vec<String>,
}

impl Traces {
    fn of(world: &World) -> Self {
        let lines = |path: &str| {
            let text = fs::read_to_string(path).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let name = |line: String| line.split_whitespace().nth(7).map(str::to_owned);
        Self {
            files: world.files(),
            mounts: lines("/proc/mounts"),
            sockets: lines("/proc/net/unix").into_iter().filter_map(name).collect(),
        }
    }
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn fifty_containers_leave_nothing() {
    let test = "fifty_containers_leave_nothing";
    let Some(world) = World::new(test) else { return };
    let Some(images) = Images::of(test, env!("CARGO_TARGET_TMPDIR")) else { return };
    let image = images.get("layout#plain");
    let bulkhead = |arguments: &[&str]| world.bulkhead(arguments, "");
    let mut first = None;
    for round in 0..CONTAINERS {
        let name = format!("number-{round}");
        match round % 3 {
            0 => world.shell(&[], &image, "echo $$ > /file; exit 3").assert(3, "", ""),
            kind => {
                let script = ["sh", "-c", "echo up > /file; sleep 1000"];
                let mut run = world.run_as_docker(&["-d", "--name", &name], &image, &script);
                let ran = Running::start(&mut run, "").wait();
                assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{name}");
                let line = format!("{name}\n");
                if kind == 1 {
                    bulkhead(&["kill", &name]).assert(0, &line, "");
                    let waited = bulkhead(&["wait", &name]);
                    let facts = || bulkhead(&["inspect", &name]).stdout;
                    assert_eq!(waited.stdout, "137\n", "{}", facts());
                    bulkhead(&["rm", &name]).assert(0, &line, "");
                } else {
                    bulkhead(&["rm", "-f", &name]).assert(0, &line, "");
                }
            }
        }
        world.assert_nothing_left();
        // The first of each kind makes what stays: the cache, and empty folders.
        if round == 2 {
            first = Some(Traces::of(&world));
        }
    }
    assert_eq!(Some(Traces::of(&world)), first);
    bulkhead(&["ps", "-aq"]).assert(0, "", "");
}
