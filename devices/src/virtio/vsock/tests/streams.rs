//! Whatever the order of events, every byte of every stream arrives, once, in order, both ways.

use proptest::prelude::*;

use super::*;
use crate::virtio::vsock::packet::shutdown;

#[derive(Clone, Debug)]
enum Step {
    GuestSends(usize, usize),
    GuestReads(usize, u32),
    GuestEnds(usize),
    HostWrites(usize, usize),
    HostReads(usize, usize),
    HostEnds(usize),
    /// The driver offers so many buffers.
    Buffers(usize),
    Kick,
    Exchange,
    Poll,
}

/// A stream in the test's own books.
#[derive(Default)]
struct Books {
    guest_sent: usize,
    host_sent: usize,
    guest_ended: bool,
    host_ended: bool,
}

fn step(streams: usize) -> impl Strategy<Value = Step> {
    let size = prop_oneof![1..10usize, 1..5_000usize, 1..100_000usize];
    prop_oneof![
        4 => (0..streams, size.clone()).prop_map(|(i, n)| Step::GuestSends(i, n)),
        4 => (0..streams, size.clone()).prop_map(|(i, n)| Step::GuestReads(i, n as u32)),
        1 => (0..streams).prop_map(Step::GuestEnds),
        4 => (0..streams, size.clone()).prop_map(|(i, n)| Step::HostWrites(i, n)),
        4 => (0..streams, size).prop_map(|(i, n)| Step::HostReads(i, n)),
        1 => (0..streams).prop_map(Step::HostEnds),
        3 => (1..8usize).prop_map(Step::Buffers),
        4 => Just(Step::Kick),
        4 => Just(Step::Exchange),
        4 => Just(Step::Poll),
    ]
}

/// Opens `count` streams, every other one from the host; gives their names in the order of the
/// host's streams.
fn open(bench: &mut Bench, count: usize) -> Vec<ConnectionId> {
    let ids: Vec<_> = (0..count as u32)
        .map(|index| {
            if index % 2 == 1 {
                let end = bench.host.open();
                return bench.vsock.host_connected(end, 5000 + index / 7).unwrap();
            }
            let id = ConnectionId { host_port: 1024 + index % 3, guest_port: index };
            bench.guest.connect(id);
            bench.settle();
            id
        })
        .collect();
    bench.settle();
    let mut world = bench.host.world();
    for (id, stream) in ids.iter().zip(&mut world.streams) {
        assert!(bench.guest.sockets[id].open);
        assert_eq!(stream.id, Some(*id));
        let greeting = std::mem::take(&mut stream.from_guest);
        let from_host = id.host_port >= 1 << 30;
        assert_eq!(greeting.is_empty(), !from_host);
        stream.room = 0;
    }
    ids
}

fn run(bench: &mut Bench, ids: &[ConnectionId], steps: Vec<Step>) {
    let mut books: Vec<_> = ids.iter().map(|_| Books::default()).collect();
    for step in steps {
        match step {
            Step::GuestSends(i, len) if !books[i].guest_ended => {
                let data = patterned(i as u32, books[i].guest_sent, len);
                books[i].guest_sent += bench.guest.send(ids[i], &data);
            }
            Step::GuestReads(i, len) => bench.guest.read(ids[i], len),
            Step::GuestEnds(i) => {
                books[i].guest_ended = true;
                bench.guest.shut_down(ids[i], shutdown::SEND);
            }
            Step::HostWrites(i, len) if !books[i].host_ended => {
                let data = patterned(!(i as u32), books[i].host_sent, len);
                books[i].host_sent += len;
                bench.host.world().streams[i].to_guest.extend(data);
            }
            Step::HostReads(i, len) => bench.host.world().streams[i].room += len,
            Step::HostEnds(i) => {
                books[i].host_ended = true;
                bench.host.world().streams[i].eof = true;
            }
            Step::Buffers(count) => bench.guest.offer_rx(count),
            Step::Kick => bench.guest.kick(&mut bench.vsock),
            Step::Exchange => drop(bench.guest.exchange()),
            Step::Poll => drop(bench.host.poll(&mut bench.vsock)),
            Step::GuestSends(..) | Step::HostWrites(..) => {}
        }
        assert!(bench.vsock.buffered() <= ids.len() * BUF_ALLOC as usize);
    }
    // Now both programs read all there is.
    bench.host.world().streams.iter_mut().for_each(|stream| stream.room = usize::MAX);
    loop {
        bench.settle();
        let unread = |id: &ConnectionId| {
            let socket = &bench.guest.sockets[id];
            socket.received.len() > socket.read as usize
        };
        let unread: Vec<_> = ids.iter().copied().filter(unread).collect();
        if unread.is_empty() {
            break;
        }
        unread.into_iter().for_each(|id| bench.guest.read(id, u32::MAX));
    }
    for (index, (id, books)) in ids.iter().zip(&books).enumerate() {
        let socket = &bench.guest.sockets[id];
        let stream = &bench.host.world().streams[index];
        assert!(stream.from_guest == patterned(index as u32, 0, books.guest_sent), "{id:?}");
        assert!(socket.received == patterned(!(index as u32), 0, books.host_sent), "{id:?}");
        assert_eq!(stream.ended, books.guest_ended);
        assert_eq!(socket.host_ended & shutdown::SEND != 0, books.host_ended);
        assert!(!socket.reset && !stream.dropped);
    }
    // And close.
    ids.iter().for_each(|id| bench.guest.shut_down(*id, shutdown::BOTH));
    bench.settle();
    assert!(bench.host.world().streams.iter().all(|stream| stream.dropped));
    assert!(ids.iter().all(|id| bench.guest.sockets[id].reset));
    assert_eq!((bench.vsock.table.len(), bench.vsock.buffered()), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_byte_arrives_in_order(
        rx_buffers in prop_oneof![Just(1u16), Just(2), Just(8)],
        rx_data in prop_oneof![1..64u32, 500..5000u32, Just(70_000)],
        split in 1..HEADER_LEN + 1,
        buf_alloc in prop_oneof![1..100u32, 1000..300_000u32],
        steps in prop::collection::vec(step(5), 0..300),
    ) {
        // Too small a buffer makes a test of a million packets.
        let buf_alloc = buf_alloc.max(if steps.len() > 50 { 4096 } else { 1 });
        let rx_data = rx_data.max(if steps.len() > 50 { 512 } else { 1 });
        let mut bench = Bench::new(rx_buffers, rx_data, split);
        bench.guest.buf_alloc = buf_alloc;
        let ids = open(&mut bench, 5);
        run(&mut bench, &ids, steps);
    }
}

#[test]
fn a_thousand_streams_at_once() {
    const STREAMS: usize = 1000;
    let mut bench = Bench::new(64, 4096, HEADER_LEN);
    let ids = open(&mut bench, STREAMS);
    let mut steps = Vec::new();
    for round in 0..4 {
        for stream in 0..STREAMS {
            let len = (stream * 31 + round * 977) % 6000 + 1;
            steps.extend([
                Step::GuestSends(stream, len),
                Step::HostWrites(stream, 6001 - len),
                Step::HostReads(stream, len / 2),
                Step::GuestReads(stream, len as u32),
            ]);
            if stream % 16 == 0 {
                steps.extend([Step::Buffers(64), Step::Exchange, Step::Kick]);
            }
            if stream % 64 == 0 {
                steps.push(Step::Poll);
            }
        }
    }
    steps.extend((0..STREAMS).filter(|i| i % 3 == 0).map(Step::HostEnds));
    run(&mut bench, &ids, steps);
}
