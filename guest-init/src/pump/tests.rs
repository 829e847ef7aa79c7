use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::net::Shutdown;
use rustix::pipe::{PipeFlags, pipe_with};

use super::*;

/// A pipe that the processes which other tests start don't inherit: its end would never come.
fn pipe() -> (OwnedFd, OwnedFd) {
    pipe_with(PipeFlags::CLOEXEC).unwrap()
}

/// The stream's byte at each place: it has no period that a lost or doubled buffer could hide in.
fn pattern(block: u64, bytes: &mut [u8]) {
    for (index, word) in bytes.chunks_exact_mut(8).enumerate() {
        let place = block * BLOCK as u64 + index as u64;
        word.copy_from_slice(&place.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    }
}

/// Not a divisor of the pump's buffer, so that reads and writes fall on different places.
const BLOCK: usize = 24_000;

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Set in the process that has the long stream for itself.
const ALONE: &str = "BULKHEAD_TEST_ALONE";
/// The test's full name.
const LONG_STREAM: &str = "pump::tests::a_long_stream_arrives_whole_and_memory_stays";

/// Memory is the whole process's, so that the test is one of its own.
#[test]
fn a_long_stream_arrives_whole_and_memory_stays() {
    if std::env::var_os(ALONE).is_none() {
        let mut same = Command::new(std::env::current_exe().unwrap());
        let output = same.args(["--exact", LONG_STREAM]).env(ALONE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    const BLOCKS: u64 = (256 << 20) / BLOCK as u64;
    let (process, mut pipe_end) = {
        let (read, write) = pipe();
        (read, std::fs::File::from(write))
    };
    let (guest, mut host) = UnixStream::pair().unwrap();
    let writer = thread::spawn(move || {
        let mut block = vec![0; BLOCK];
        for number in 0..BLOCKS {
            pattern(number, &mut block);
            pipe_end.write_all(&block).unwrap();
        }
    });
    let pump = thread::spawn(move || {
        let end = pump(&process, &guest);
        rustix::net::shutdown(&guest, Shutdown::Write).unwrap();
        end
    });
    let (mut block, mut expected) = (vec![0; BLOCK], vec![0; BLOCK]);
    let mut before = 0;
    for number in 0..BLOCKS {
        // By then every thread has its buffers, and an emulator has translated what they run.
        if number == BLOCKS / 4 {
            before = resident();
        }
        host.read_exact(&mut block).unwrap();
        pattern(number, &mut expected);
        assert!(block == expected, "block {number} is not what was sent");
    }
    assert_eq!(host.read(&mut block).unwrap(), 0);
    writer.join().unwrap();
    assert_eq!(pump.join().unwrap(), End::Source);
    let grown = resident().saturating_sub(before);
    assert!(grown < 16 << 10, "memory grew by {grown} KiB");
}

#[test]
fn a_reader_that_waits_stops_the_writer() {
    let (source, mut far_source) = UnixStream::pair().unwrap();
    let (sink, mut far_sink) = UnixStream::pair().unwrap();
    let pump = thread::spawn(move || pump(&source, &sink));
    far_source.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut sent = 0usize;
    // A socket's buffers, twice, and the pump's own.
    while let Ok(count) = far_source.write(&[7; 4096]) {
        sent += count;
        assert!(sent < 8 << 20, "the writer was never stopped");
    }
    drop(far_source);
    let mut received = Vec::new();
    far_sink.read_to_end(&mut received).unwrap();
    assert_eq!(received.len(), sent);
    assert_eq!(pump.join().unwrap(), End::Source);
}

#[test]
fn a_sink_that_closed_ends_it() {
    let (source, mut far_source) = UnixStream::pair().unwrap();
    let (read, write) = pipe();
    drop(read);
    far_source.write_all(b"nobody reads this").unwrap();
    assert_eq!(pump(&source, &write), End::Sink);
}

#[test]
fn others_that_go_on_writing_do_not_hold_the_end_back() {
    let (source, write) = pipe();
    let (sink, mut far_sink) = UnixStream::pair().unwrap();
    let (ended, ends) = pipe();
    rustix::io::write(&write, b"its last words").unwrap();
    drop(ends);
    let other = thread::spawn(move || while rustix::io::write(&write, &[b'y'; 4096]).is_ok() {});
    let reader = thread::spawn(move || {
        let mut received = Vec::new();
        far_sink.read_to_end(&mut received).unwrap();
        received
    });
    assert_eq!(pump_until(&source, &sink, &ended), End::Source);
    drop((source, sink));
    let received = reader.join().unwrap();
    assert!(received.starts_with(b"its last words"));
    assert!(received.len() <= BUFFER, "{} bytes", received.len());
    other.join().unwrap();
}
