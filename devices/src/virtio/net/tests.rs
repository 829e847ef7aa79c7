//! The device between a guest and a peer, whole: with its transport, its turns and its snapshots.

mod filtered;
mod flow;
mod guest;
mod headers;
mod links;

use crate::testing::net::Peer;
use guest::Guest;

use super::*;
use crate::Device;

/// A packet without offloads, whose frame has this length, in bytes, and a content that tells it from others.
fn packet(number: usize, frame: usize) -> Vec<u8> {
    let mut packet = vec![0; HEADER_LEN];
    packet.extend((0..frame).map(|at| (number * 31 + at * 7 + at / 256) as u8));
    packet
}

fn frames(packets: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    packets.into_iter().map(|packet| packet[HEADER_LEN..].to_vec()).collect()
}
