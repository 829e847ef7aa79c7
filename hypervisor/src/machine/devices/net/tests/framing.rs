//! No frame is cut or joined, whatever the socket takes or gives at once.

use std::io::{Read, Write};

use devices::egress::handshake::acknowledgment;
use proptest::prelude::*;
use rustix::net::sockopt::set_socket_send_buffer_size;

use super::*;

fn frame() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1..3000usize, 1 => 1..=MAX_FRAME]
}

/// All that can be received now.
fn receive_all(stream: &mut Stream, into: &mut Vec<Vec<u8>>) -> Refusal {
    let mut packet = vec![0xaa; HEADER_LEN + MAX_FRAME];
    loop {
        match stream.receive(&mut packet) {
            Ok(len) => into.push(packet[..len].to_vec()),
            Err(refusal) => return refusal,
        }
    }
}

#[test]
fn an_answer_to_a_call_is_acknowledged_and_then_the_peer_is_heard() {
    let (mut stream, mut peer) = streams();
    let ip =
        [&[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0][..], &[10, 0, 2, 100, 10, 0, 2, 2]].concat();
    let tcp = [&[0, 80, 0x9c, 0x40, 0, 0, 0, 7, 0, 0, 0, 99, 5 << 4, 0x12][..], &[0; 6]].concat();
    let call = [&[0xaa; 12][..], &[8, 0], &ip, &tcp].concat();
    let mut packet = [&[0; HEADER_LEN][..], &call].concat();
    stream.send(&mut packet).unwrap();
    peer.write_all(&framed(&self::packet(1, 70))).unwrap();
    assert!(stream.has_answers());
    let mut received = Vec::new();
    assert_eq!(receive_all(&mut stream, &mut received), Refusal::WouldBlock);
    let acknowledgment = acknowledgment(&call).unwrap();
    assert_eq!(received, [[&[0; HEADER_LEN][..], &acknowledgment].concat(), self::packet(1, 70)]);
    // It is told once, for calls without end there is room for some, and who begins again has not called.
    assert!(!stream.has_answers());
    for _ in 0..2 * ANSWERS {
        stream.send(&mut packet).unwrap();
    }
    receive_all(&mut stream, &mut received);
    assert_eq!(received.len(), 2 + ANSWERS);
    stream.send(&mut packet).unwrap();
    stream.start();
    assert!(!stream.has_answers());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn frames_are_received_whole_from_pieces_of_any_size(
        frames in prop::collection::vec(frame(), 1..20),
        pieces in prop::collection::vec(1..70_000usize, 1..50),
    ) {
        let (mut stream, mut peer) = streams();
        let packets: Vec<_> = (0..).zip(frames).map(|(number, len)| packet(number, len)).collect();
        let bytes: Vec<u8> = packets.iter().flat_map(|packet| framed(packet)).collect();
        let mut rest = &bytes[..];
        let mut received = Vec::new();
        for piece in pieces.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at(rest.len().min(*piece));
            peer.write_all(now).unwrap();
            rest = later;
            // Twice: a call reads once, and the buffer may be smaller than what is there.
            for _ in 0..2 {
                prop_assert_eq!(receive_all(&mut stream, &mut received), Refusal::WouldBlock);
            }
        }
        prop_assert_eq!(&received, &packets);
        drop(peer);
        prop_assert_eq!(receive_all(&mut stream, &mut received), Refusal::Gone);
        prop_assert_eq!(received.len(), packets.len());
    }

    #[test]
    fn frames_are_sent_whole_to_a_socket_that_takes_a_part(
        frames in prop::collection::vec(frame(), 1..20),
        reads in prop::collection::vec(1..70_000usize, 1..20),
    ) {
        let (mut stream, mut peer) = streams();
        // The kernel doubles it, and makes it 4 KiB at least (socket(7)).
        set_socket_send_buffer_size(&stream, 1).unwrap();
        peer.set_nonblocking(true).unwrap();
        let packets: Vec<_> = (0..).zip(frames).map(|(number, len)| packet(number, len)).collect();
        let expected: Vec<u8> = packets.iter().flat_map(|packet| framed(packet)).collect();
        let mut got = Vec::new();
        let mut reads = reads.iter().cycle();
        let mut read = |got: &mut Vec<u8>| {
            let mut buffer = vec![0; *reads.next().unwrap()];
            if let Ok(len) = peer.read(&mut buffer) {
                got.extend(&buffer[..len]);
            }
        };
        for packet in &packets {
            let mut tried = packet.clone();
            while stream.send(&mut tried) == Err(Refusal::WouldBlock) {
                read(&mut got);
                tried = packet.clone();
            }
        }
        while stream.flush() == Err(Refusal::WouldBlock) {
            read(&mut got);
        }
        while got.len() < expected.len() {
            read(&mut got);
        }
        prop_assert!(got == expected);
    }
}

#[test]
fn a_length_that_cannot_be_ends_the_link() {
    for length in [0, MAX_FRAME as u32 + 1, u32::MAX] {
        let (mut stream, mut peer) = streams();
        peer.write_all(&framed(&packet(0, 60))).unwrap();
        peer.write_all(&length.to_be_bytes()).unwrap();
        let mut received = Vec::new();
        assert_eq!(receive_all(&mut stream, &mut received), Refusal::Gone, "{length}");
        assert_eq!(received, [packet(0, 60)]);
    }
}

#[test]
fn a_frame_that_is_too_long_for_the_peer_is_dropped() {
    let (mut stream, mut peer) = streams();
    stream.send(&mut packet(0, MAX_FRAME + 1)).unwrap();
    stream.send(&mut packet(1, 60)).unwrap();
    let mut bytes = [0; 64];
    peer.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes[..], framed(&packet(1, 60)));
}

#[test]
fn a_peer_that_is_gone_is_an_error_and_no_signal() {
    let (mut stream, peer) = streams();
    drop(peer);
    assert_eq!(stream.send(&mut packet(0, 60)), Err(Refusal::Gone));
}

#[test]
fn what_a_peer_said_before_it_went_is_heard_whoever_calls_it_meanwhile() {
    let (mut stream, mut peer) = streams();
    peer.write_all(&framed(&packet(0, 60))).unwrap();
    drop(peer);
    stream.send(&mut packet(1, 60)).unwrap();
    let mut received = Vec::new();
    assert_eq!(receive_all(&mut stream, &mut received), Refusal::Gone);
    assert_eq!(received, [packet(0, 60)]);
    assert_eq!(stream.send(&mut packet(2, 60)), Err(Refusal::Gone));
}
