//! Interfaces with what is really at their other end: sockets, and TAPs in a network namespace of the test's own.

mod framing;
mod guest;
mod links;
mod reports;
mod taps;

use std::os::unix::net::UnixStream;

use devices::virtio::net::{HEADER_LEN, Link, Refusal};

use super::host::End;
use super::stream::{MAX_FRAME, Stream};
use super::*;

/// A stream that does not block, and its other end, which does.
fn streams() -> (Stream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (Stream::new(ours.into()), theirs)
}

/// A packet whose frame has this length, in bytes, and a content that tells it from others.
fn packet(number: usize, frame: usize) -> Vec<u8> {
    let mut packet = vec![0; HEADER_LEN];
    packet.extend((0..frame).map(|at| (number * 31 + at * 7 + at / 256) as u8));
    packet
}

/// A packet's frame, as it goes over a stream.
fn framed(packet: &[u8]) -> Vec<u8> {
    let frame = &packet[HEADER_LEN..];
    [&(frame.len() as u32).to_be_bytes()[..], frame].concat()
}
