//! One rule, one example.

use super::*;
use crate::Device;
use crate::limits::MAX_CONNECTIONS;
use crate::virtio::vsock::packet::{Header, op, shutdown};
use crate::virtio::vsock::table::FIRST_HOST_PORT;

/// What the device answers to one packet.
fn answer(bench: &mut Bench, header: Header) -> Vec<u16> {
    bench.guest.outbox.push_back((header, Vec::new()));
    bench.settle();
    bench.guest.strays.drain(..).map(|stray| stray.op.get()).collect()
}

#[test]
fn bytes_go_both_ways_and_the_end_ends_the_connection() {
    let mut bench = Bench::ordinary();
    let (id, index) = bench.connected(1);
    assert_eq!(bench.guest.send(id, b"ping"), 4);
    bench.host.world().streams[index].to_guest.extend(b"pong");
    bench.settle();
    assert_eq!(bench.host.world().streams[index].from_guest, b"ping");
    assert_eq!(bench.guest.sockets[&id].received, b"pong");
    bench.guest.shut_down(id, shutdown::BOTH);
    bench.settle();
    assert!(bench.guest.sockets[&id].reset);
    let world = bench.host.world();
    assert!(world.streams[index].ended && world.streams[index].dropped);
}

#[test]
fn each_direction_ends_by_itself() {
    let mut bench = Bench::ordinary();
    let (id, index) = bench.connected(1);
    bench.host.world().streams[index].eof = true;
    bench.settle();
    assert_eq!(bench.guest.sockets[&id].host_ended, shutdown::SEND);
    bench.guest.send(id, b"late");
    bench.guest.shut_down(id, shutdown::SEND);
    bench.settle();
    let world = bench.host.world();
    assert_eq!(world.streams[index].from_guest, b"late");
    assert!(world.streams[index].ended && !world.streams[index].dropped);
}

#[test]
fn the_end_waits_for_the_hosts_reader() {
    let mut bench = Bench::ordinary();
    bench.host.world().room = 3;
    let (id, index) = bench.connected(1);
    bench.guest.send(id, b"abcdefgh");
    bench.guest.shut_down(id, shutdown::BOTH);
    bench.settle();
    assert!(!bench.host.world().streams[index].ended);
    assert_eq!(bench.vsock.buffered(), 5);
    bench.host.world().streams[index].room = 5;
    bench.settle();
    assert_eq!(bench.host.world().streams[index].from_guest, b"abcdefgh");
    assert!(bench.host.world().streams[index].dropped && bench.guest.sockets[&id].reset);
}

#[test]
fn what_the_guest_sent_before_a_reset_still_arrives() {
    for by_device_reset in [false, true] {
        let mut bench = Bench::ordinary();
        bench.host.world().room = 3;
        let (id, index) = bench.connected(1);
        bench.guest.send(id, b"abcdefgh");
        bench.settle();
        if by_device_reset {
            bench.vsock.reset();
        } else {
            bench.guest.send_control(id, op::RST);
            bench.settle();
            // The name is not free yet, and no packet for it does harm.
            bench.guest.connect(id);
            bench.settle();
            assert!(bench.guest.sockets[&id].reset);
        }
        assert!(!bench.host.world().streams[index].dropped);
        bench.host.world().streams[index].room = 9;
        while bench.host.poll(&mut bench.vsock) > 0 {}
        assert_eq!(bench.host.world().streams[index].from_guest, b"abcdefgh");
        assert!(bench.host.world().streams[index].dropped);
        assert_eq!((bench.vsock.buffered(), bench.vsock.table.len()), (0, 0));
    }
}

#[test]
fn a_host_program_hears_ok_before_all_else() {
    let mut bench = Bench::ordinary();
    bench.host.world().room = 4;
    let end = bench.host.open();
    let id = bench.vsock.host_connected(end, 52).unwrap();
    assert_eq!(id, ConnectionId { host_port: FIRST_HOST_PORT, guest_port: 52 });
    bench.settle();
    bench.guest.send(id, &vec![b'x'; BUF_ALLOC as usize]);
    bench.settle();
    bench.host.world().streams[0].room = usize::MAX;
    bench.settle();
    let expected = format!("OK {FIRST_HOST_PORT}\n{}", "x".repeat(BUF_ALLOC as usize));
    assert!(bench.host.world().streams[0].from_guest == expected.as_bytes());
    // The line cost the guest no credit.
    assert_eq!(bench.guest.sockets[&id].room(), BUF_ALLOC);
    // A second one gets a port of its own.
    let end = bench.host.open();
    let second = bench.vsock.host_connected(end, 52).unwrap();
    assert_eq!(second.host_port, FIRST_HOST_PORT + 1);
}

#[test]
fn refusals_close_the_stream() {
    let mut bench = Bench::ordinary();
    bench.guest.accepts = false;
    let end = bench.host.open();
    assert!(bench.vsock.host_connected(end, 52).is_some());
    bench.settle();
    assert!(bench.host.world().streams[0].dropped);
    assert!(bench.host.world().streams[0].from_guest.is_empty());

    bench.host.world().refuses = |_| true;
    let id = ConnectionId { host_port: 9, guest_port: 9 };
    bench.guest.connect(id);
    bench.settle();
    assert!(bench.guest.sockets[&id].reset);

    bench.vsock.reset();
    let end = bench.host.open();
    assert_eq!(bench.vsock.host_connected(end, 52), None, "no driver");
    assert!(bench.host.world().streams[1].dropped);
}

#[test]
fn packets_out_of_place_are_reset_or_dropped() {
    let mut bench = Bench::ordinary();
    let nobody = ConnectionId { host_port: 3, guest_port: 4 };
    let header = |op: u16| Bench::ordinary().guest.header(nobody, op);
    for op in [0, op::RESPONSE, op::SHUTDOWN, op::RW, op::CREDIT_UPDATE, op::CREDIT_REQUEST, 8] {
        assert_eq!(answer(&mut bench, header(op)), [op::RST], "operation {op}");
    }
    assert!(answer(&mut bench, header(op::RST)).is_empty());
    for (src, dst) in [(CID + 1, 2), (CID, 3), (CID, 1 << 32 | 2)] {
        let wrong = Header { src_cid: src.into(), dst_cid: dst.into(), ..header(op::REQUEST) };
        assert!(answer(&mut bench, wrong).is_empty());
    }
    // A packet of an unknown type is answered in kind (virtio 1.2 §5.10.6.4).
    let wrong = Header { socket_type: 9.into(), ..header(op::REQUEST) };
    bench.guest.outbox.push_back((wrong, Vec::new()));
    bench.settle();
    let stray = bench.guest.strays.pop().unwrap();
    assert_eq!((stray.op.get(), stray.socket_type.get()), (op::RST, 9));
    assert!(bench.host.world().streams.is_empty());
    // An open connection does not survive what makes no sense in it.
    for (port, op) in [(1, op::REQUEST), (2, op::RESPONSE), (3, 0), (4, 99)] {
        let (id, index) = bench.connected(port);
        bench.guest.send_control(id, op);
        bench.settle();
        assert!(bench.guest.sockets[&id].reset && bench.host.world().streams[index].dropped);
    }
}

#[test]
fn data_is_refused_beyond_the_credit_the_packet_and_the_end() {
    let mut bench = Bench::ordinary();
    bench.host.world().room = 0;
    let rw = |bench: &Bench, id, claimed: u32, len: usize| {
        (Header { len: claimed.into(), ..bench.guest.header(id, op::RW) }, vec![1; len])
    };
    // Beyond the credit.
    let (first, index) = bench.connected(1);
    assert_eq!(bench.guest.send(first, &vec![1; 1 << 20]), BUF_ALLOC as usize);
    bench.settle();
    let packet = rw(&bench, first, 1, 1);
    bench.guest.outbox.push_back(packet);
    bench.settle();
    assert!(bench.guest.sockets[&first].reset && bench.host.world().streams[index].dropped);
    assert_eq!(bench.vsock.buffered(), 0);
    // Beyond the packet, and a length that no credit could cover.
    for (port, claimed) in [(2, 5), (3, BUF_ALLOC + 1), (4, u32::MAX)] {
        let (id, _) = bench.connected(port);
        let packet = rw(&bench, id, claimed, 4);
        bench.guest.outbox.push_back(packet);
        bench.settle();
        assert!(bench.guest.sockets[&id].reset);
    }
    // Beyond the end.
    let (last, _) = bench.connected(5);
    bench.guest.shut_down(last, shutdown::SEND);
    let packet = rw(&bench, last, 1, 1);
    bench.guest.outbox.push_back(packet);
    bench.settle();
    assert!(bench.guest.sockets[&last].reset);
}

#[test]
fn a_host_that_stops_reading_is_still_heard() {
    let mut bench = Bench::ordinary();
    let (id, index) = bench.connected(1);
    {
        let stream = &mut bench.host.world().streams[index];
        (stream.broken, stream.eof) = (true, true);
        stream.to_guest.extend(vec![7; 100_000]);
    }
    bench.guest.send(id, b"nobody reads this");
    bench.settle();
    let socket = &bench.guest.sockets[&id];
    assert_eq!((socket.received.len(), socket.host_ended), (100_000, shutdown::BOTH));
    assert!(!socket.reset);
    bench.guest.send_control(id, op::RST);
    bench.settle();
    assert!(bench.host.world().streams[index].dropped);
}

#[test]
fn a_stream_that_fails_resets_after_its_last_byte() {
    let mut bench = Bench::ordinary();
    let (id, index) = bench.connected(1);
    bench.host.world().streams[index].failed = true;
    bench.host.world().streams[index].to_guest.extend(b"last words");
    bench.settle();
    assert!(bench.guest.sockets[&id].reset);
    assert_eq!(bench.guest.sockets[&id].received, b"last words");
}

#[test]
fn nothing_is_polled_that_can_not_be_served() {
    let mut bench = Bench::ordinary();
    bench.guest.buf_alloc = 10;
    let (id, index) = bench.connected(1);
    bench.host.world().streams[index].to_guest.extend(b"0123456789abcdef");
    bench.settle();
    assert_eq!(bench.guest.sockets[&id].received, b"0123456789");
    assert!(!bench.host.world().streams[index].interest.readable, "the guest has no room");
    bench.guest.read(id, 3);
    bench.settle();
    assert_eq!(bench.guest.sockets[&id].received, b"0123456789abc");
    bench.guest.read(id, 100);
    bench.settle();
    assert_eq!(bench.guest.sockets[&id].received, b"0123456789abcdef");
    assert!(bench.host.world().streams[index].interest.readable);
    // No rx buffer: known to be readable, not polled, and not forgotten.
    while bench.guest.rx.take(&bench.guest.mem).is_some() {}
    let mut bench = Bench::ordinary();
    let (id, index) = bench.connected(1);
    bench.host.world().streams[index].to_guest.extend(vec![1; 5 * 4096]);
    for _ in 0..3 {
        bench.host.poll(&mut bench.vsock);
        bench.guest.kick(&mut bench.vsock);
    }
    assert!(!bench.host.world().streams[index].interest.readable);
    bench.settle();
    assert_eq!(bench.guest.sockets[&id].received.len(), 5 * 4096);
}

#[test]
fn a_full_table_refuses_and_recovers() {
    let mut bench = Bench::ordinary();
    let id = |port| ConnectionId { host_port: 1, guest_port: port };
    for port in 0..MAX_CONNECTIONS as u32 + 1 {
        bench.guest.connect(id(port));
    }
    bench.settle();
    let last = id(MAX_CONNECTIONS as u32);
    assert!(bench.guest.sockets[&last].reset);
    assert!(bench.guest.sockets[&id(0)].open && !bench.guest.sockets[&id(0)].reset);
    let end = bench.host.open();
    assert_eq!(bench.vsock.host_connected(end, 1), None);
    bench.guest.shut_down(id(0), shutdown::BOTH);
    bench.guest.connect(last);
    bench.settle();
    assert!(bench.guest.sockets[&last].open);
}

#[test]
fn few_buffers_are_shared_fairly() {
    let mut bench = Bench::new(1, 100, HEADER_LEN);
    let streams: Vec<_> = (0..8).map(|port| bench.connected(port)).collect();
    for (_, index) in &streams {
        bench.host.world().streams[*index].to_guest.extend(vec![1; 10_000]);
    }
    for round in 0..200 {
        bench.step();
        if round < 20 {
            continue;
        }
        let shares = streams.iter().map(|(id, _)| bench.guest.sockets[id].received.len());
        let (least, most) = (shares.clone().min().unwrap(), shares.max().unwrap());
        assert!(most - least <= 100, "round {round}: {least} to {most} bytes");
    }
}
