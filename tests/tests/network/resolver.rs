//! A name server.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::thread;

/// How a name begins whose answer is longer than a datagram may be, so that it has to be asked for once more, over TCP.
const LONG: &[u8] = b"\x04long";

/// How many addresses that answer has, of 16 bytes at least: a datagram has 512 at most (RFC 1035, §4.2.1).
const MANY: u8 = 60;

/// Bytes before the question (RFC 1035, §4.1.1).
const HEADER: usize = 12;

/// Types of records (RFC 1035, §3.2.2, and RFC 3596, §2.1).
const A: u8 = 1;
const AAAA: u8 = 28;

/// A name server that has one address for each name, until the test's process ends.
pub fn resolver(at: &str, address: IpAddr) {
    let socket = UdpSocket::bind(at).unwrap();
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, asker)) = socket.recv_from(&mut query) {
            let query = &query[..length];
            let reply = match query[HEADER..].starts_with(LONG) {
                true => reply(query, 0x83, address, 0),
                false => reply(query, 0x81, address, 1),
            };
            let _ = socket.send_to(&reply, asker);
        }
    });
    let listener = TcpListener::bind(at).unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut length, mut query) = ([0; 2], [0; 512]);
            // One question after the other, each with its length before it (§4.2.2).
            while stream.read_exact(&mut length).is_ok() {
                let query = &mut query[..usize::from(u16::from_be_bytes(length))];
                stream.read_exact(query).unwrap();
                let reply = reply(query, 0x81, address, MANY);
                let length = u16::try_from(reply.len()).unwrap().to_be_bytes();
                let _ = stream.write_all(&[&length, &reply[..]].concat());
            }
        }
    });
}

/// RFC 1035, §4.1: the header, of which `flags` are the first, the question again, and for the type of the address so many
/// answers.
fn reply(query: &[u8], flags: u8, address: IpAddr, count: u8) -> Vec<u8> {
    let name = query[HEADER..].iter().position(|&byte| byte == 0).unwrap();
    let question = &query[HEADER..HEADER + name + 5];
    let (kind, address) = match address {
        IpAddr::V4(address) => (A, address.octets().to_vec()),
        IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
    };
    let count = if question[name + 1..][..2] == [0, kind] { count } else { 0 };
    let flags_and_counts = [flags, 0x80, 0, 1, 0, count, 0, 0, 0, 0];
    let mut reply = [&query[..2], &flags_and_counts, question].concat();
    for _ in 0..count {
        // The name is the one at the question's place; of its type, class IN, a minute, so many bytes.
        reply.extend([0xc0, 0x0c, 0, kind, 0, 1, 0, 0, 0, 60, 0, address.len() as u8]);
        reply.extend(&address);
    }
    reply
}
