//! Real sockets on one side, a hand-made driver on the other.

mod few_files;
mod unanswered;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use devices::virtio::VirtioDevice;
use devices::virtio::queue::{Area, Queue};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use vm_memory::{Bytes, GuestAddress};

use super::*;

const CID: u64 = 5;
/// The largest packet of this driver.
const BUFFER: u64 = 1024;
/// Buffers of each of its queues.
const BUFFERS: u16 = 16;
/// Room for one queue and its buffers.
const QUEUE: u64 = 0x8000;

// virtio 1.2 §5.10.6
const REQUEST: u16 = 1;
const RESPONSE: u16 = 2;
const RST: u16 = 3;
const SHUTDOWN: u16 = 4;
const RW: u16 = 5;

const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
/// Longer than anything takes that comes at all.
const NEVER: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };

/// A packet: host port, guest port, operation, data.
type Packet = (u32, u32, u16, Vec<u8>);

struct Bench {
    sockets: Sockets,
    vsock: Vsock<UnixBackend>,
    queues: Vec<Queue>,
    mem: devices::GuestMemory,
    offered: [u16; 2],
    taken: u16,
    name: SocketName,
    /// Holds the sockets.
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v");
        let (listener, name) = Listener::bind(&path).unwrap().into_parts();
        let (sockets, backend) = Sockets::new(listener, path.as_os_str()).unwrap();
        let mem =
            devices::GuestMemory::from_ranges(&[(GuestAddress(0), QUEUE as usize * 3)]).unwrap();
        let queues = (0..3)
            .map(|index| {
                let mut queue = Queue::new(BUFFERS);
                queue.set_size(BUFFERS).unwrap();
                queue.set_address(Area::Descriptors, index * QUEUE);
                queue.set_address(Area::Driver, index * QUEUE + 0x400);
                queue.set_address(Area::Device, index * QUEUE + 0x800);
                queue.set_ready(true, &mem).unwrap();
                queue
            })
            .collect();
        let mut vsock = Vsock::new(CID, backend);
        vsock.activate(0, &[]);
        let mut bench =
            Self { sockets, vsock, queues, mem, offered: [0; 2], taken: 0, name, folder };
        (0..BUFFERS).for_each(|_| bench.offer(0, BUFFER as u32));
        bench
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.folder.path().join(format!("v{suffix}"))
    }

    fn buffer(queue: u64, index: u16) -> u64 {
        queue * QUEUE + 0x1000 + u64::from(index) * BUFFER
    }

    /// Offers the next buffer of the rx (0) or tx (1) queue.
    fn offer(&mut self, queue: u64, len: u32) {
        let index = self.offered[queue as usize] % BUFFERS;
        let base = queue * QUEUE;
        let descriptor = base + u64::from(index) * 16;
        let flags = if queue == 0 { 2u16 } else { 0 };
        self.mem.write_obj(Self::buffer(queue, index), GuestAddress(descriptor)).unwrap();
        self.mem.write_obj(len, GuestAddress(descriptor + 8)).unwrap();
        self.mem.write_obj(flags, GuestAddress(descriptor + 12)).unwrap();
        let slot = base + 0x404 + u64::from(index) * 2;
        self.mem.write_obj(index, GuestAddress(slot)).unwrap();
        self.offered[queue as usize] += 1;
        let available = self.offered[queue as usize];
        self.mem.write_obj(available, GuestAddress(base + 0x402)).unwrap();
    }

    fn send(&mut self, (host_port, guest_port, op, data): Packet) {
        let mut bytes = Vec::new();
        bytes.extend(CID.to_le_bytes());
        bytes.extend(2u64.to_le_bytes());
        bytes.extend(guest_port.to_le_bytes());
        bytes.extend(host_port.to_le_bytes());
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(1u16.to_le_bytes());
        bytes.extend(op.to_le_bytes());
        let flags: u32 = if op == SHUTDOWN { 3 } else { 0 };
        bytes.extend(flags.to_le_bytes());
        bytes.extend(0x10000u32.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        bytes.extend(data);
        let index = self.offered[1] % BUFFERS;
        self.mem.write_slice(&bytes, GuestAddress(Self::buffer(1, index))).unwrap();
        self.offer(1, bytes.len() as u32);
    }

    /// Whether something has happened at the sockets, at once or within `limit`.
    fn is_ready(&self, limit: Timespec) -> bool {
        let mut sockets = [rustix::event::PollFd::new(&self.sockets, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut sockets, Some(&limit)).unwrap() > 0
    }

    fn work(&mut self) {
        self.sockets.handle(&mut self.vsock).unwrap();
        self.vsock.work(&mut self.queues, &self.mem).unwrap();
    }

    /// The next packet for the guest, after work if need be.
    fn receive(&mut self) -> Packet {
        let start = Instant::now();
        while self.mem.read_obj::<u16>(GuestAddress(0x802)).unwrap() == self.taken {
            assert!(start.elapsed() < Duration::from_secs(60), "no packet");
            self.work();
        }
        let index = self.taken % BUFFERS;
        self.taken += 1;
        let mut header = [0; 44];
        self.mem.read_slice(&mut header, GuestAddress(Self::buffer(0, index))).unwrap();
        let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        let mut data = vec![0; word(24) as usize];
        self.mem.read_slice(&mut data, GuestAddress(Self::buffer(0, index) + 44)).unwrap();
        self.offer(0, BUFFER as u32);
        (word(16), word(20), (word(28) >> 16) as u16, data)
    }
}

fn read(stream: &mut UnixStream, len: usize) -> Vec<u8> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut data = vec![0; len];
    stream.read_exact(&mut data).unwrap();
    data
}

#[test]
fn a_host_program_reaches_the_guest() {
    let mut bench = Bench::new();
    let mut program = UnixStream::connect(bench.path("")).unwrap();
    program.write_all(b"CONN").unwrap();
    bench.work();
    bench.work();
    program.write_all(b"ECT 52\nhello").unwrap();
    assert_eq!(bench.receive(), (1 << 30, 52, REQUEST, vec![]));
    bench.send((1 << 30, 52, RESPONSE, vec![]));
    assert_eq!(bench.receive(), (1 << 30, 52, RW, b"hello".to_vec()));
    bench.send((1 << 30, 52, RW, b"world".to_vec()));
    bench.work();
    assert_eq!(read(&mut program, 19), b"OK 1073741824\nworld");
    drop(program);
    assert_eq!(bench.receive().2, SHUTDOWN);
    // The end was told once; nothing is left to do.
    assert!(!bench.is_ready(NOW));
}

#[test]
fn the_guest_reaches_a_host_program() {
    let mut bench = Bench::new();
    let listener = UnixListener::bind(bench.path("_1024")).unwrap();
    bench.send((1024, 9, REQUEST, vec![]));
    assert_eq!(bench.receive(), (1024, 9, RESPONSE, vec![]));
    let (mut program, _) = listener.accept().unwrap();
    bench.send((1024, 9, RW, b"guest".to_vec()));
    bench.work();
    assert_eq!(read(&mut program, 5), b"guest");
    program.write_all(b"host").unwrap();
    assert_eq!(bench.receive(), (1024, 9, RW, b"host".to_vec()));
    bench.send((1024, 9, SHUTDOWN, vec![]));
    assert_eq!(bench.receive(), (1024, 9, RST, vec![]));
    assert_eq!(program.read(&mut [0; 9]).unwrap(), 0);

    for (port, why) in [(1025, "nobody listens"), (u32::MAX, "no port")] {
        bench.send((port, 9, REQUEST, vec![]));
        assert_eq!(bench.receive(), (port, 9, RST, vec![]), "{why}");
    }
}

#[test]
fn a_slow_reader_holds_the_guest_back_and_loses_nothing() {
    let mut bench = Bench::new();
    let listener = UnixListener::bind(bench.path("_7")).unwrap();
    bench.send((7, 7, REQUEST, vec![]));
    assert_eq!(bench.receive().2, RESPONSE);
    let (mut program, _) = listener.accept().unwrap();
    let mut sent = Vec::<u8>::new();
    for round in 0..2000u32 {
        if bench.vsock.buffered() >= 60_000 {
            break;
        }
        let data = vec![round as u8; 900];
        sent.extend(&data);
        bench.send((7, 7, RW, data));
        bench.work();
    }
    assert!(bench.vsock.buffered() >= 60_000, "the socket never filled");
    let expected = sent.len();
    let reader = std::thread::spawn(move || read(&mut program, expected));
    let start = Instant::now();
    while bench.vsock.buffered() > 0 && start.elapsed() < Duration::from_secs(5) {
        bench.work();
    }
    assert!(reader.join().unwrap() == sent);
}

#[test]
fn a_thousand_streams_at_once() {
    const STREAMS: u32 = 1000;
    // Both ends of each stream are this process's; 1,024 is a usual limit.
    let limit = getrlimit(Resource::Nofile);
    let current = Some(limit.maximum.unwrap_or(4096).min(4096));
    setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();
    let mut bench = Bench::new();
    let listener = UnixListener::bind(bench.path("_7")).unwrap();
    let mut programs: Vec<_> = (0..STREAMS)
        .map(|guest_port| {
            bench.send((7, guest_port, REQUEST, vec![]));
            assert_eq!(bench.receive(), (7, guest_port, RESPONSE, vec![]));
            listener.accept().unwrap().0
        })
        .collect();
    for (guest_port, program) in programs.iter_mut().enumerate() {
        program.write_all(&guest_port.to_le_bytes()).unwrap();
    }
    let mut seen: Vec<_> = (0..STREAMS)
        .map(|_| {
            let (_, guest_port, op, data) = bench.receive();
            assert_eq!((op, &data[..]), (RW, &u64::from(guest_port).to_le_bytes()[..]));
            bench.send((7, guest_port, RW, data));
            guest_port
        })
        .collect();
    bench.work();
    seen.sort();
    assert!(seen.into_iter().eq(0..STREAMS));
    for (guest_port, program) in programs.iter_mut().enumerate() {
        assert_eq!(read(program, 8), guest_port.to_le_bytes());
    }
}

#[test]
fn programs_that_say_nothing_or_nonsense_are_shown_out() {
    let mut bench = Bench::new();
    let mut rude = UnixStream::connect(bench.path("")).unwrap();
    rude.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut silent: Vec<_> = (0..65)
        .map(|_| {
            let program = UnixStream::connect(bench.path("")).unwrap();
            bench.work();
            program
        })
        .collect();
    (0..5).for_each(|_| bench.work());
    assert!(rude.read(&mut [0; 9]).is_ok_and(|len| len == 0) || rude.write(b"x").is_err());
    // The longest silence ends when another comes; the last is still welcome.
    assert_eq!(silent[0].read(&mut [0; 9]).unwrap(), 0);
    silent[64].write_all(b"CONNECT 1\n").unwrap();
    assert_eq!(bench.receive().1, 1);
}

#[test]
fn the_path_is_taken_and_given_back() {
    let bench = Bench::new();
    let error = Listener::bind(&bench.path("")).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("exists; remove it"), "{error}");
    let path = bench.path("");
    drop(bench.sockets);
    assert!(path.exists());
    drop(bench.name);
    assert!(!path.exists());
    let error = Listener::bind(&path.join("x".repeat(200))).map(|_| ()).unwrap_err();
    assert!(!error.to_string().contains('\n') && error.to_string().contains("uds_path"));
}
