//! A guest that writes what it likes.

use proptest::prelude::*;
use vm_memory::{Bytes, GuestAddress};
use zerocopy::IntoBytes;

use super::*;
use crate::limits::{MAX_CONNECTIONS, MAX_RESETS};
use crate::testing;
use crate::virtio::queue::{Area, Queue};
use crate::virtio::vsock::packet::Header;

/// Packets that are nearly right: few ports, so that they hit the same connections.
fn packet() -> impl Strategy<Value = (Header, usize)> {
    let rarely = |usual: u64| prop_oneof![20 => Just(usual), 1 => any::<u64>()];
    let number = prop_oneof![Just(0u32), 0..100u32, Just(BUF_ALLOC), any::<u32>()];
    (
        (rarely(CID), rarely(2), 0..4u32, 0..3u32, rarely(1)),
        (prop_oneof![0..9u16, Just(1), Just(5)], 0..4u32, number.clone(), number.clone(), number),
        prop_oneof![0..200usize, Just(BUF_ALLOC as usize)],
    )
        .prop_map(
            |((src, dst, src_port, dst_port, kind), (op, flags, len, alloc, fwd), size)| {
                let header = Header {
                    src_cid: src.into(),
                    dst_cid: dst.into(),
                    src_port: src_port.into(),
                    dst_port: dst_port.into(),
                    len: len.into(),
                    socket_type: (kind as u16).into(),
                    op: op.into(),
                    flags: flags.into(),
                    buf_alloc: alloc.into(),
                    fwd_cnt: fwd.into(),
                };
                (header, size)
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn arbitrary_packets_do_no_harm(
        packets in prop::collection::vec((packet(), 0..3usize, any::<bool>()), 1..120),
        room in 0..100_000usize,
    ) {
        let mut bench = Bench::new(2, 600, 20);
        bench.host.world().room = room;
        for ((header, size), buffers, poll) in packets {
            bench.guest.tx.offer(&bench.guest.mem, &[header.as_bytes(), &vec![1; size]].concat());
            bench.guest.kick(&mut bench.vsock);
            while bench.guest.tx.take(&bench.guest.mem).is_some() {}
            while bench.guest.rx.take(&bench.guest.mem).is_some() {}
            bench.guest.offer_rx(buffers);
            if poll {
                for stream in bench.host.world().streams.iter_mut().filter(|s| !s.dropped) {
                    stream.to_guest.extend([1; 100]);
                }
                let end = bench.host.open();
                bench.vsock.host_connected(end, header.src_port.get());
                bench.host.poll(&mut bench.vsock);
            }
            prop_assert!(bench.vsock.buffered() <= bench.vsock.table.len() * (BUF_ALLOC as usize + 14));
            prop_assert!(bench.vsock.table.ready_len() <= bench.vsock.table.len());
            // Whatever is not in the table is closed.
            prop_assert_eq!(bench.host.held(), bench.vsock.table.len());
        }
    }

    #[test]
    fn arbitrary_rings_do_no_harm(
        memory in prop::collection::vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0x1800),
        areas in prop::array::uniform9(0..0x180u64),
        works in 1..5usize,
    ) {
        let mem = testing::memory(0x2000);
        mem.write_slice(&memory, GuestAddress(0)).unwrap();
        let mut queues: Vec<_> = areas
            .chunks_exact(3)
            .map(|at| {
                let mut queue = Queue::new(16);
                queue.set_size(16).unwrap();
                for (area, at) in [Area::Descriptors, Area::Driver, Area::Device].into_iter().zip(at) {
                    queue.set_address(area, at * 16);
                }
                queue.set_ready(true, &mem).unwrap();
                queue.set_indirect(true);
                queue.refill_budget();
                queue
            })
            .collect();
        let host = Host::with_room(0);
        let mut vsock = Vsock::new(CID, host.clone());
        vsock.activate(0, &[]);
        for _ in 0..works {
            let end = host.open();
            vsock.host_connected(end, 1);
            // An error is a driver that broke the rules.
            let _ = vsock.work(&mut queues, &mem);
            host.poll(&mut vsock);
        }
    }
}

/// A guest that provokes answers and never takes them is not heard for ever.
#[test]
fn unclaimed_answers_are_bounded() {
    let mut bench = Bench::ordinary();
    let id = |port| ConnectionId { host_port: 1, guest_port: port };
    for round in 0..5_000u32 {
        // Alternately for no connection, and opened and broken at once.
        let header = bench.guest.header(id(round), if round % 3 == 0 { 7 } else { 1 });
        for _ in 0..2 {
            bench.guest.tx.offer(&bench.guest.mem, header.as_bytes());
        }
        bench.guest.kick(&mut bench.vsock);
        while bench.guest.tx.take(&bench.guest.mem).is_some() {}
    }
    assert!(bench.vsock.table.owes_too_much());
    assert!(bench.vsock.table.owed() <= MAX_RESETS + MAX_CONNECTIONS);
    assert!(bench.vsock.table.ready_len() <= bench.vsock.table.len());
    // It is heard again as soon as it takes them.
    bench.settle();
    assert!(!bench.vsock.table.has_work());
    bench.connected(1_000_000);
}
