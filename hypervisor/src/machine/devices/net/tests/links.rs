//! A guest and a program at the other side of a socket.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use devices::virtio::net::{F_MRG_RXBUF, F_STATUS};
use devices::virtio::rate::{Limit, RateLimits};

use super::guest::Guest;
use super::*;

/// An idle event loop is one that is not called for so long; the processor time of one that is would show.
const IDLE: Duration = Duration::from_millis(50);

fn guest(link: &Link) -> (Guest, UnixStream) {
    let (stream, peer) = streams();
    (Guest::new(link, End::Stream(stream), F_STATUS | F_MRG_RXBUF), peer)
}

/// More than the socket's buffers hold, both ways at once.
#[test]
fn frames_go_both_ways_at_once_whole_and_in_order() {
    let (mut guest, mut peer) = guest(&Link::default());
    let packets: Vec<_> = (0..200).map(|number| packet(number, 14 + number * 327)).collect();
    let stream: Vec<u8> = packets.iter().flat_map(|packet| framed(packet)).collect();
    let (mut reader, expected) = (peer.try_clone().unwrap(), stream.clone());
    let reads = thread::spawn(move || {
        let mut bytes = vec![0; expected.len()];
        reader.read_exact(&mut bytes).unwrap();
        assert!(bytes == expected);
    });
    let writes = thread::spawn(move || peer.write_all(&stream).map(|()| peer).unwrap());
    for (number, packet) in packets.iter().enumerate() {
        guest.send(packet);
        let mut expected = packet.clone();
        expected[10] = 1; // num_buffers
        assert!(guest.receive() == expected, "packet {number}");
    }
    // What is left goes without more from the guest.
    while !reads.is_finished() {
        guest.run_dry(Duration::from_millis(1));
    }
    reads.join().unwrap();
    drop(writes.join().unwrap());
    guest.wait(|guest| (!guest.is_link_up()).then_some(()));
}

#[test]
fn the_reason_of_an_interrupt_is_told_while_the_device_works() {
    let (mut guest, mut peer) = guest(&Link::default());
    peer.write_all(&framed(&packet(0, 60))).unwrap();
    guest.receive();
    assert_eq!(guest.acknowledge(), [1, 0]);
}

#[test]
fn a_program_that_ends_takes_the_link_down_and_nobody_is_called_any_more() {
    // With nothing to read, with something, with something for which there is no buffer.
    for frames in [0, 3, 40] {
        let (mut guest, mut peer) = guest(&Link::default());
        guest.run_dry(IDLE);
        for number in 0..frames {
            peer.write_all(&framed(&packet(number, 60))).unwrap();
        }
        assert!(guest.is_link_up());
        drop(peer);
        guest.wait(|guest| (!guest.is_link_up()).then_some(()));
        assert_eq!(guest.read(0x60) & 2, 2, "a configuration interrupt");
        guest.run_dry(IDLE);
        // The guest may go on sending: nobody hears it.
        for number in 0..40 {
            guest.send(&packet(number, 60));
        }
        guest.run_dry(IDLE);
    }
}

#[test]
fn a_limit_lets_go_what_it_has_held_when_its_time_has_come() {
    let refill_time = Duration::from_millis(200);
    let ops = Some(Limit { size: 2, one_time_burst: 0, refill_time });
    let limits = RateLimits { bandwidth: None, ops };
    let (mut guest, mut peer) = guest(&Link { rx: limits, tx: limits, ..Link::default() });
    let began = Instant::now();
    for number in 0..5 {
        peer.write_all(&framed(&packet(number, 60))).unwrap();
        guest.send(&packet(number, 60));
    }
    for number in 0..5 {
        assert_eq!(guest.receive()[HEADER_LEN..], packet(number, 60)[HEADER_LEN..]);
    }
    // Two at once, and the others 100 ms apart.
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    let mut bytes = [0; 64];
    peer.set_nonblocking(true).unwrap();
    for number in 0..5 {
        guest.wait(|_| peer.read_exact(&mut bytes).ok());
        assert_eq!(bytes[..], framed(&packet(number, 60)));
    }
    guest.run_dry(IDLE);
}
