//! Connections through published ports as they are in the world: many, long ones, closed on the caller's side only, with
//! servers that speak first, and with peers that do not read.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use bulkhead_tests::{Outcome, PATIENCE, Running, World, eventually};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::place::{passt, setting};

/// In bytes.
const LONG: usize = 32 << 20;
const CHUNK: usize = 64 << 10;

/// What the VM's process and passt may take more than before, in KiB: what both keep for connections of which the peer
/// does not read, and pages that they touch for the first time.
const MORE_MEMORY: u64 = 8 << 10;

/// In bytes: the longest part of a guest's memory of 512 MiB is longer, and nothing else of a VM's process is as long.
const GUEST_RAM: u64 = 128 << 20;

/// A container that runs one program for each connection to a port, by `nc -e`.
struct Container {
    world: World,
    ports: Vec<SocketAddr>,
}

impl Container {
    fn start(test: &str, programs: &[&str]) -> Option<Self> {
        Some(Self::of(setting(test)?, programs))
    }

    fn of(world: World, programs: &[&str]) -> Self {
        let inside = |index: usize| 1000 + index;
        let listen = programs.iter().enumerate().map(|(index, program)| {
            format!("busybox nc -ll -p {} -e busybox {program} & ", inside(index))
        });
        let up = "until [ $(busybox netstat -ltn | busybox grep -c LISTEN) = ";
        let script = format!(
            "{}{up}{} ]; do busybox usleep 10000; done; echo up; wait",
            listen.collect::<String>(),
            programs.len()
        );
        let mut flags = vec!["-d".to_owned(), "--name".into(), "peer".into()];
        flags.extend((0..programs.len()).map(|index| format!("-p=127.0.0.1:0:{}", inside(index))));
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let command = &mut world.run_as_docker(&flags, "image", &["sh", "-c", &script]);
        let outcome = Running::start(command, "").wait();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
        let mut container = Self { world, ports: Vec::new() };
        let is_up = || container.on(&["logs", "peer"]).stdout == "up\n";
        assert!(eventually(is_up), "{:?}", container.on(&["logs", "peer"]));
        for index in 0..programs.len() {
            let port = container.on(&["port", "peer", &inside(index).to_string()]).stdout;
            container.ports.push(port.trim_end().parse().unwrap());
        }
        container
    }

    fn on(&self, arguments: &[&str]) -> Outcome {
        self.world.bulkhead(arguments, "")
    }

    fn connect(&self, program: usize) -> TcpStream {
        let stream = TcpStream::connect(self.ports[program]).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// What the VM's process and passt have in memory, in KiB.
    fn resident(&self) -> [u64; 2] {
        [self.world.process("bulkhead-vmm"), passt(&self.world)].map(|process| {
            let smaps = fs::read_to_string(format!("/proc/{process}/smaps")).unwrap();
            outside_guest_ram(&smaps)
        })
    }

    #[track_caller]
    fn assert_memory_is_flat(&self, before: [u64; 2]) {
        let after = self.resident();
        let is_flat = before.iter().zip(after).all(|(&before, after)| after < before + MORE_MEMORY);
        assert!(is_flat, "{before:?} to {after:?} KiB");
    }

    fn end(self) {
        self.on(&["rm", "-f", "peer"]).assert(0, "peer\n", "");
        self.world.assert_nothing_left();
    }
}

/// Of a process's mappings (proc_pid_smaps(5)), those that are too short for a guest's memory: their resident part, in KiB.
fn outside_guest_ram(smaps: &str) -> u64 {
    let mut is_guests = false;
    let mut resident = 0;
    for line in smaps.lines() {
        let first = line.split(' ').next().unwrap();
        if let Some((from, to)) = first.split_once('-') {
            let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
            is_guests = to - from >= GUEST_RAM;
        } else if let Some(kib) = line.strip_prefix("Rss:").filter(|_| !is_guests) {
            resident += kib.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
        }
    }
    resident
}

/// Bytes that do not repeat soon: by xorshift (Marsaglia, 2003).
pub fn bytes_of(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(word).take(length / 8).flatten().collect()
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn much_goes_either_way_and_memory_stays() {
    let test = "much_goes_either_way_and_memory_stays";
    // One way at a time: Debian 12's passt resets a connection whose guest has not read for eight seconds (tcp.c,
    // `tcp_timer_handler`), and who waits for both ways at once, on a slow machine, may be late.
    let Some(world) = setting(test) else { return };
    let long = bytes_of(LONG);
    fs::write(world.path("image/long"), &long).unwrap();
    let programs = ["sh -c 'busybox cmp - /long && echo the same'", "cat /long"];
    let peer = Container::of(world, &programs);
    let before = peer.resident();
    let mut stream = peer.connect(0);
    stream.write_all(&long).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "the same\n");
    peer.assert_memory_is_flat(before);
    let mut received = Vec::new();
    peer.connect(1).read_to_end(&mut received).unwrap();
    assert!(received == long, "{} of {} bytes", received.len(), long.len());
    peer.assert_memory_is_flat(before);
    peer.end();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_thousand_connections_are_open_at_once() {
    let Some(peer) = Container::start("a_thousand_connections_are_open_at_once", &["cat"]) else {
        return;
    };
    // 1,024 are usual, and some more than the connections are open.
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
    let before = peer.resident();
    let mut streams = Vec::new();
    for number in 0..1000 {
        let mut stream = peer.connect(0);
        // It is heard, and not only in a queue.
        write!(stream, "{number:4}").unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer, *format!("{number:4}").as_bytes());
        streams.push(stream);
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        write!(stream, "{number:4}").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, format!("{number:4}"));
    }
    peer.assert_memory_is_flat(before);
    peer.end();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn who_has_said_all_still_hears_the_answer() {
    let test = "who_has_said_all_still_hears_the_answer";
    let Some(peer) = Container::start(test, &["wc -c"]) else { return };
    let mut stream = peer.connect(0);
    stream.write_all(&vec![0; 100_000]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "100000\n");
    peer.end();
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn who_does_not_read_keeps_nobody_else_waiting() {
    let test = "who_does_not_read_keeps_nobody_else_waiting";
    let Some(peer) = Container::start(test, &["yes", "sleep 10000", "cat"]) else { return };
    let before = peer.resident();
    let _never_read = peer.connect(0);
    let mut never_heard = peer.connect(1);
    never_heard.set_write_timeout(Some(Duration::from_secs(3))).unwrap();
    let mut taken = 0;
    // All buffers on the way are full when nothing moves.
    let full = loop {
        match never_heard.write(&[b'x'; CHUNK]) {
            Ok(written) => taken += written,
            Err(error) => break error,
        }
        assert!(taken < 1 << 30, "{taken} bytes");
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    for _ in 0..3 {
        let mut stream = peer.connect(2);
        stream.write_all(b"and now").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "and now");
    }
    peer.assert_memory_is_flat(before);
    peer.end();
}
