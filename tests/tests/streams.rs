//! Much data through a container: no byte is lost, and no side's memory grows.
//!
//! A gibibyte goes through the host's half of the conversation and the guest's in the tests of these (`containers`, `guest-init`); here it
//! is as much as an emulated processor moves in a minute.

use std::fs;
use std::io::Read;
use std::time::Duration;

use bulkhead_tests::{Running, World, busybox_folder};

const MIB: usize = 1 << 20;

/// How many blocks the guest writes, each a line and a mebibyte.
const BLOCKS: usize = 48;

/// How much the guest is sent and sends back.
const INPUT: usize = 8 * MIB;

/// What no process's own memory grows by, in KiB: the streams' buffers, many times over.
const GROWTH: u64 = 2048;

/// Bytes that tell where they stand.
fn numbered(len: usize) -> Vec<u8> {
    (0..len as u32 / 4).flat_map(u32::to_le_bytes).collect()
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn much_output_to_a_slow_reader() {
    let Some(world) = World::new("much_output_to_a_slow_reader") else { return };
    busybox_folder(&world.path("image"));
    let block = numbered(MIB);
    fs::write(world.path("image/block"), &block).unwrap();
    // One process for all of it: to start one takes an emulated processor as long as half a block.
    let mut files = String::new();
    for number in 0..BLOCKS {
        fs::write(world.path(&format!("image/{number}")), format!("{number}\n")).unwrap();
        files += &format!(" /{number} /block");
    }
    let script = format!(
        "free() {{ awk '/MemAvailable/ {{ print $2 }}' /proc/meminfo >&2; }}
         cat{files} > /dev/null; free
         cat{files}
         free"
    );
    let mut running = Running::start(&mut world.run(&[], "image", &["sh", "-c", &script]), "");
    let mut stdout = running.stdout();
    let mut memory = [0; 2];
    for number in 0..BLOCKS {
        let mut bytes = format!("{number}\n").into_bytes();
        bytes.extend(&block);
        let mut read = vec![0; bytes.len()];
        stdout.read_exact(&mut read).unwrap();
        assert!(read == bytes, "block {number} differs");
        if number == 4 {
            memory = own_memory(&world);
            // Whoever writes has to wait for us, rather than let what is on the way pile up somewhere.
            std::thread::sleep(Duration::from_secs(5));
        }
        if number == 5 || number == BLOCKS - 4 {
            for (before, after) in memory.iter().zip(own_memory(&world)) {
                assert!(after < before + GROWTH, "from {before} to {after} KiB by block {number}");
            }
        }
    }
    assert_eq!(stdout.read(&mut [0]).unwrap(), 0, "more than was written");
    let outcome = running.wait();
    let free: Vec<u64> = outcome.stderr.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!((outcome.status, free.len()), (0, 2), "{outcome:?}");
    assert!(
        free[1] + 2 * GROWTH > free[0],
        "the guest's memory went from {} to {} KiB",
        free[0],
        free[1]
    );
    world.assert_nothing_left();
}

/// What the command and the VMM have in memory of their own, without the guest's, in KiB.
fn own_memory(world: &World) -> [u64; 2] {
    ["bulkhead", "bulkhead-vmm"].map(|program| {
        let status =
            fs::read_to_string(format!("/proc/{}/status", world.process(program))).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim_end_matches("kB").trim().parse().unwrap()
    })
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn much_input_comes_back_and_stderr_stays_apart() {
    let Some(world) = World::new("much_input_comes_back_and_stderr_stays_apart") else { return };
    busybox_folder(&world.path("image"));
    let input = numbered(INPUT);
    let script = "echo before >&2; cat; echo after >&2";
    let mut running =
        Running::start(&mut world.run(&[], "image", &["sh", "-c", script]), input.clone());
    let mut output = Vec::new();
    running.stdout().read_to_end(&mut output).unwrap();
    assert_eq!(output.len(), input.len());
    assert!(output == input, "other bytes than were sent");
    running.wait().assert(0, "", "before\nafter\n");
    world.assert_nothing_left();
}
