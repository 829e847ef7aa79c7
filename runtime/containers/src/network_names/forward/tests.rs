//! Against this machine's own sockets: the container is another address of the loopback interface.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

use proptest::prelude::*;

use super::*;
use crate::network::PublishedPort;
use crate::network::ports::reserve;
use crate::network::testing::LONG;

const CONTAINER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A forwarder that runs, and ends with this.
struct Running {
    port: u16,
    control: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// Of a port that leads to this one of the container's.
    fn new(container_port: u16, protocol: Protocol) -> Self {
        let address = Some(Ipv4Addr::LOCALHOST.into());
        let wanted = PublishedPort { address, host_port: None, container_port, protocol };
        let ports = reserve(&[wanted], &[], &[Ipv4Addr::UNSPECIFIED.into()]).unwrap();
        ports.keep().unwrap();
        let port = ports.ports()[0].host_port.unwrap();
        let (control, other) = UnixStream::pair().unwrap();
        let forwarder = Forwarder::new(ports, Some(CONTAINER), None);
        let thread = thread::spawn(move || forwarder.run(other.as_fd()).unwrap());
        Self { port, control: Some(control), thread: Some(thread) }
    }

    fn call(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        stream
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.control = None;
        self.thread.take().unwrap().join().unwrap();
    }
}

fn tcp() -> (TcpListener, Running) {
    let container = TcpListener::bind((CONTAINER, 0)).unwrap();
    let port = container.local_addr().unwrap().port();
    (container, Running::new(port, Protocol::Tcp))
}

fn udp() -> (UdpSocket, Running) {
    let container = UdpSocket::bind((CONTAINER, 0)).unwrap();
    container.set_read_timeout(Some(LONG)).unwrap();
    let port = container.local_addr().unwrap().port();
    (container, Running::new(port, Protocol::Udp))
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 251) as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_directions_carry_all_bytes_and_each_its_end(there in 0..3_000_000usize, back in 0..3_000_000usize) {
        let (container, forwarder) = tcp();
        let mut caller = forwarder.call();
        let (mut called, _) = container.accept().unwrap();
        called.set_read_timeout(Some(LONG)).unwrap();
        called.set_write_timeout(Some(LONG)).unwrap();
        let question = bytes(there);
        caller.write_all(&question[..there.min(1)]).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                caller.write_all(&question[there.min(1)..]).unwrap();
                caller.shutdown(Shutdown::Write).unwrap();
            });
            let mut heard = Vec::new();
            called.read_to_end(&mut heard).unwrap();
            assert!(heard == question, "{} of {there} bytes", heard.len());
        });
        // The end of one direction is not that of the other.
        thread::scope(|scope| {
            let answer = bytes(back);
            scope.spawn(move || {
                called.write_all(&answer).unwrap();
            });
            let mut heard = Vec::new();
            caller.read_to_end(&mut heard).unwrap();
            assert!(heard == bytes(back), "{} of {back} bytes", heard.len());
        });
    }
}

#[test]
fn nothing_is_read_that_nobody_takes() {
    let (container, forwarder) = tcp();
    let mut caller = forwarder.call();
    let (mut called, _) = container.accept().unwrap();
    // As much as all buffers take, which are the kernel's and one of ours.
    caller.set_nonblocking(true).unwrap();
    let chunk = bytes(1 << 16);
    let mut sent = 0;
    let mut refused = 0;
    while refused < 50 {
        match caller.write(&chunk) {
            Ok(length) => (sent, refused) = (sent + length, 0),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                refused += 1;
                thread::sleep(std::time::Duration::from_millis(5));
            }
        }
        assert!(sent < 64 << 20, "it takes everything");
    }
    // Others are served meanwhile.
    let mut other = forwarder.call();
    other.write_all(b"?").unwrap();
    let (mut second, _) = container.accept().unwrap();
    let mut byte = [0];
    second.read_exact(&mut byte).unwrap();
    drop(caller);
    let mut heard = Vec::new();
    called.read_to_end(&mut heard).unwrap();
    assert_eq!(heard.len(), sent);
}

#[test]
fn who_is_not_there_is_not_answered_for() {
    let (container, forwarder) = tcp();
    drop(container);
    let mut caller = forwarder.call();
    let mut said = Vec::new();
    // Reset or closed; and it serves on.
    let _ = caller.read_to_end(&mut said);
    assert!(said.is_empty());
    let _ = forwarder.call().read(&mut [0]);
}

#[test]
fn connections_are_bounded_and_those_that_wait_get_their_turn() {
    let (container, forwarder) = tcp();
    let mut callers: Vec<TcpStream> = Vec::new();
    for _ in 0..tcp::MAX_PAIRS {
        callers.push(forwarder.call());
        // It has nothing to say, which ends one direction; and this process may have a thousand descriptors.
        drop(container.accept().unwrap());
    }
    let mut late = forwarder.call();
    late.write_all(b"late").unwrap();
    container.set_nonblocking(true).unwrap();
    thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(container.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    container.set_nonblocking(false).unwrap();
    drop(callers.pop());
    let (mut last, _) = container.accept().unwrap();
    let mut heard = [0; 4];
    last.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"late");
}

#[test]
fn datagrams_find_their_way_back() {
    let (container, forwarder) = udp();
    let callers: Vec<UdpSocket> = (0..3)
        .map(|_| {
            let caller = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            caller.set_read_timeout(Some(LONG)).unwrap();
            caller.connect((Ipv4Addr::LOCALHOST, forwarder.port)).unwrap();
            caller
        })
        .collect();
    let long = bytes(60_000);
    let mut buffer = vec![0; 1 << 16];
    for round in 0..3u8 {
        for (number, caller) in callers.iter().enumerate() {
            caller.send(&[number as u8, round]).unwrap();
            let (length, from) = container.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], [number as u8, round]);
            container.send_to(&[&[number as u8][..], &long].concat(), from).unwrap();
        }
        for (number, caller) in callers.iter().enumerate() {
            let length = caller.recv(&mut buffer).unwrap();
            assert!(buffer[0] == number as u8 && buffer[1..length] == long[..]);
        }
    }
}

#[test]
fn of_too_many_peers_the_most_silent_is_forgotten() {
    let (container, forwarder) = udp();
    let call = |byte: u8| {
        let caller = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        caller.set_read_timeout(Some(LONG)).unwrap();
        caller.connect((Ipv4Addr::LOCALHOST, forwarder.port)).unwrap();
        caller.send(&[byte]).unwrap();
        let mut buffer = [0; 16];
        let (_, from) = container.recv_from(&mut buffer).unwrap();
        (caller, from)
    };
    let (first, first_from) = call(1);
    let others: Vec<_> = (0..udp::MAX_FLOWS).map(|_| call(2)).collect();
    // Its socket is gone: what it sends comes from another one.
    first.send(&[3]).unwrap();
    let (_, again) = container.recv_from(&mut [0; 16]).unwrap();
    assert_ne!(again, first_from);
    let (last, last_from) = others.last().unwrap();
    container.send_to(b"x", last_from).unwrap();
    assert_eq!(last.recv(&mut [0; 16]).unwrap(), 1);
}
