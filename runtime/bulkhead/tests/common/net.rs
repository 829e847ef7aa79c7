//! Bad networks and bad registries, on loopback. Their threads end with the test's process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// What a proxy does with bytes on their way to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    None,
    /// After so many more, connections break, and all later ones.
    Cut(u64),
    /// After so many more, they wait.
    Hold(u64),
}

#[derive(Debug)]
struct Traffic {
    limit: Limit,
    /// Bytes that the client was given.
    count: u64,
}

/// Stands between a client and a registry.
pub struct Proxy {
    pub address: String,
    traffic: Arc<(Mutex<Traffic>, Condvar)>,
}

impl Proxy {
    pub fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let traffic = Traffic { limit: Limit::None, count: 0 };
        let traffic = Arc::new((Mutex::new(traffic), Condvar::new()));
        let (upstream, shared) = (upstream.to_owned(), traffic.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(&upstream).unwrap());
                let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
                let traffic = shared.clone();
                thread::spawn(move || pump(server, client, &traffic));
            }
        });
        Self { address, traffic }
    }

    pub fn limit(&self, limit: Limit) {
        self.traffic.0.lock().unwrap().limit = limit;
        self.traffic.1.notify_all();
    }

    pub fn count(&self) -> u64 {
        self.traffic.0.lock().unwrap().count
    }

    /// Wait until bytes wait.
    pub fn wait_for_hold(&self) {
        let traffic = self.traffic.0.lock().unwrap();
        let holds = |traffic: &mut Traffic| traffic.limit != Limit::Hold(0);
        drop(self.traffic.1.wait_while(traffic, holds).unwrap());
    }
}

fn pump(mut server: TcpStream, mut client: TcpStream, traffic: &(Mutex<Traffic>, Condvar)) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        let mut now = traffic.0.lock().unwrap();
        let wanted = count as u64;
        now.limit = match now.limit {
            Limit::None => Limit::None,
            Limit::Cut(left) if left < wanted => {
                let _ = client.shutdown(Shutdown::Both);
                let _ = server.shutdown(Shutdown::Both);
                Limit::Cut(0)
            }
            Limit::Cut(left) => Limit::Cut(left - wanted),
            Limit::Hold(left) => Limit::Hold(left.saturating_sub(wanted)),
        };
        traffic.1.notify_all();
        now = traffic.1.wait_while(now, |now| now.limit == Limit::Hold(0)).unwrap();
        if now.limit == Limit::Cut(0) {
            break;
        }
        now.count += wanted;
        drop(now);
        if client.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
}

/// What a client asked for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub path: String,
    /// In lower case.
    pub headers: Vec<String>,
}

/// What it gets.
pub enum Answer {
    /// A status with further header lines, and a body.
    Text(&'static str, String, Vec<u8>),
    /// 200, and bytes without end.
    Endless,
}

/// A registry that answers what a test says.
pub struct Fake {
    pub address: String,
}

impl Fake {
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for client in listener.incoming() {
                let answer = answer.clone();
                thread::spawn(move || serve(client.unwrap(), &*answer));
            }
        });
        Self { address }
    }
}

/// One request; none where the client begins with TLS.
fn serve(client: TcpStream, answer: &dyn Fn(&Request) -> Answer) -> Option<()> {
    let mut first = [0];
    client.peek(&mut first).ok().filter(|_| first[0].is_ascii_uppercase())?;
    let mut lines = BufReader::new(client.try_clone().ok()?).lines();
    let path = lines.next()?.ok()?.split(' ').nth(1)?.to_owned();
    let headers = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
    let request = Request { path, headers: headers.map(|line| line.to_lowercase()).collect() };
    let mut client = client;
    match answer(&request) {
        Answer::Text(status, headers, body) => {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
            );
            client.write_all(head.as_bytes()).and_then(|()| client.write_all(&body)).ok()
        }
        Answer::Endless => {
            client.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").ok()?;
            loop {
                client.write_all(&[b' '; 64 << 10]).ok()?;
            }
        }
    }
}
