//! What is in a test's network namespace.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bulkhead_tests::{World, busybox_folder, have};

pub use crate::own::{NOT_LOOPBACK, alone};

/// Longer than a guest on an emulated processor takes for an answer.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A world with an image, in a network namespace of its own. `None` where that can't be, after a line that says so.
pub fn setting(test: &str) -> Option<World> {
    if !have(test, &["passt", "ip"]) || !alone(test) {
        return None;
    }
    let world = World::new(test)?;
    busybox_folder(&world.path("image"));
    Some(world)
}

/// A server that says one line to each who asks for whatever page, until the test's process ends.
pub struct Server {
    port: u16,
    calls: Arc<AtomicUsize>,
}

impl Server {
    pub fn start(at: &str) -> Self {
        let listener = TcpListener::bind(at).unwrap();
        let port = listener.local_addr().unwrap().port();
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                answer(stream);
            }
        });
        Self { port, calls }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often it was called.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut chunk = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(read @ 1..) => request.extend(&chunk[..read]),
            _ => return,
        }
    }
    let _ = stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\nserved\n");
}

/// A page of a server in a container.
#[track_caller]
pub fn fetched(at: &str, page: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap_or_else(|error| panic!("{at}: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {page} HTTP/1.0\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap_or_else(|error| panic!("{at}: {error}"));
    text
}

/// What comes back of a datagram, which may be lost now and then.
#[track_caller]
pub fn echoed(at: &str, datagram: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect(at).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut bytes = [0; 2048];
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        socket.send(datagram).unwrap();
        match socket.recv(&mut bytes) {
            Ok(length) => return bytes[..length].to_vec(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{at}: {error}"),
        }
    }
    panic!("{at}: nothing comes back")
}

/// A name server that has one address for each name, until the test's process ends.
pub fn resolver(at: &str, address: Ipv4Addr) {
    let socket = UdpSocket::bind(at).unwrap();
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, asker)) = socket.recv_from(&mut query) {
            let _ = socket.send_to(&reply(&query[..length], address), asker);
        }
    });
}

/// RFC 1035, §4.1: the header and the question again, and for type A an answer.
fn reply(query: &[u8], address: Ipv4Addr) -> Vec<u8> {
    const HEADER: usize = 12;
    let name = query[HEADER..].iter().position(|&byte| byte == 0).unwrap();
    let question = &query[HEADER..HEADER + name + 5];
    let is_a = question[name + 1..][..2] == [0, 1];
    let flags_and_counts = [0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0];
    let mut reply = [&query[..2], &flags_and_counts, question].concat();
    if is_a {
        // The name is the one at the question's place; type A, class IN, a minute, four bytes.
        reply.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(address.octets());
    }
    reply
}

/// The world's passt.
#[track_caller]
pub fn passt(world: &World) -> u32 {
    let is_it = |process: &u32| {
        let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        name.starts_with("passt")
    };
    let found: Vec<u32> = world.processes().into_iter().filter(is_it).collect();
    match found[..] {
        [process] => process,
        _ => panic!("{found:?}"),
    }
}
