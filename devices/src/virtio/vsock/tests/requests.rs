//! Programs of the host's that wait for the guest to accept them.

use super::*;
use crate::limits::MAX_REQUEST_TICKS;
use crate::virtio::vsock::packet::op;

/// A program asks for port 52; the guest hears of it if it has a buffer, and says nothing.
fn asked(bench: &mut Bench, heard: bool) -> ConnectionId {
    let end = bench.host.open();
    let id = bench.vsock.host_connected(end, 52).unwrap();
    if heard {
        bench.guest.offer_rx(4);
    }
    bench.guest.kick(&mut bench.vsock);
    assert_eq!(bench.vsock.table.len(), 1);
    id
}

/// The operations of the packets that the guest has got.
fn told(bench: &mut Bench) -> Vec<u16> {
    let take = || bench.guest.rx.take(&bench.guest.mem);
    std::iter::from_fn(take).map(|packet| u16::from_le_bytes([packet[30], packet[31]])).collect()
}

#[test]
fn a_program_that_leaves_before_the_answer_gives_its_place_back() {
    for (heard, packets) in [(false, vec![]), (true, vec![op::REQUEST, op::RST])] {
        let mut bench = Bench::ordinary();
        let id = asked(&mut bench, heard);
        // One that writes no more may still wait for an answer.
        bench.host.world().streams[0].eof = true;
        assert_eq!((bench.host.poll(&mut bench.vsock), bench.vsock.table.len()), (0, 1));
        bench.host.world().streams[0].leave();
        assert_eq!((bench.host.poll(&mut bench.vsock), bench.vsock.table.len()), (1, 0));
        assert!(bench.host.world().streams[0].dropped);
        bench.guest.offer_rx(4);
        bench.guest.kick(&mut bench.vsock);
        assert_eq!(told(&mut bench), packets);
        // An answer that comes too late is for nobody.
        bench.guest.send_control(id, op::RESPONSE);
        bench.settle();
        assert_eq!(bench.guest.strays.pop().unwrap().op.get(), op::RST);
    }
}

#[test]
fn a_guest_that_does_not_answer_keeps_a_program_for_some_ticks() {
    let mut bench = Bench::ordinary();
    asked(&mut bench, true);
    for _ in 1..MAX_REQUEST_TICKS {
        assert!(bench.vsock.tick());
    }
    assert_eq!(bench.vsock.table.len(), 1);
    assert!(!bench.vsock.tick(), "nobody waits on");
    assert_eq!(bench.vsock.table.len(), 0);
    bench.guest.kick(&mut bench.vsock);
    assert_eq!(told(&mut bench), [op::REQUEST, op::RST]);
}

#[test]
fn time_does_nothing_to_a_connection_that_was_answered() {
    let mut bench = Bench::ordinary();
    let end = bench.host.open();
    let id = bench.vsock.host_connected(end, 52).unwrap();
    bench.settle();
    assert!(bench.guest.sockets[&id].open);
    for _ in 0..2 * MAX_REQUEST_TICKS {
        assert!(!bench.vsock.tick());
    }
    assert_eq!(bench.vsock.table.len(), 1);
    // What the program wrote before it left arrives.
    bench.host.world().streams[0].to_guest.extend(b"bye");
    bench.host.world().streams[0].leave();
    bench.settle();
    assert_eq!(bench.guest.sockets[&id].received, b"bye");
}
