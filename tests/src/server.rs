//! Servers of a test's own, which containers ask for a page, and what servers in containers say.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than a guest on an emulated processor takes for an answer.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// For a container's shell: asks whoever answers for a page, and waits so many seconds for it.
pub const FETCH: &str =
    "fetch() { busybox timeout $1 busybox wget -q -O - http://$2 2>/dev/null || echo none; }\n";

/// A server that says one line to each who asks for whatever page, until the test's process ends.
pub struct Server {
    port: u16,
    calls: Arc<AtomicUsize>,
}

impl Server {
    /// At an address with a port, or 0 for a free one.
    pub fn start(at: &str) -> Self {
        Self::with_page(at, b"served\n"[..].into())
    }

    /// With another page.
    pub fn with_page(at: &str, page: Arc<[u8]>) -> Self {
        let listener = TcpListener::bind(at).unwrap();
        let port = listener.local_addr().unwrap().port();
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                answer(stream, &page);
            }
        });
        Self { port, calls }
    }

    /// Where it is called.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often it was called.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream, page: &[u8]) {
    let mut request = Vec::new();
    let mut chunk = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(read @ 1..) => request.extend(&chunk[..read]),
            _ => return,
        }
    }
    let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", page.len());
    let _ = stream.write_all(&[head.as_bytes(), page].concat());
}

/// A page of a server in a container, after its head.
#[track_caller]
pub fn fetched(at: &str, page: &str) -> String {
    String::from_utf8(fetched_bytes(at, page)).unwrap_or_else(|_| panic!("{at}: no text"))
}

/// Likewise, if it is no text.
#[track_caller]
pub fn fetched_bytes(at: &str, page: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(at).unwrap_or_else(|error| panic!("{at}: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {page} HTTP/1.0\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap_or_else(|error| panic!("{at}: {error}"));
    bytes
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
