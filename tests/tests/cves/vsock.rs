//! The socket device.

use devices::GuestMemory;
use devices::testing::vsock::Host;
use devices::testing::{Counter, memory};
use devices::virtio::mmio::Mmio;
use devices::virtio::vsock::Vsock;
use vm_memory::{Bytes, GuestAddress};

use super::driver::{NEEDS_RESET, Ring, WRITE, get, register, start};

const CID: u64 = 7;
/// The queue from the guest (virtio 1.2 §5.10.2).
const TX: usize = 1;
/// VIRTIO_VSOCK_OP_REQUEST, _RESPONSE, _RST and _RW (virtio 1.2 §5.10.6).
const REQUEST: u16 = 1;
const RESPONSE: u16 = 2;
const RST: u16 = 3;
const RW: u16 = 5;
/// Length of a header (virtio 1.2 §5.10.6).
const HEADER: u32 = 44;

/// Where headers and answers stand, and where memory ends.
const HEADER_AT: u64 = 0x1_0000;
const ANSWER_AT: u64 = 0x1_1000;
const END: u64 = 0x2_0000;

/// A packet's header (virtio 1.2 §5.10.6), with room for 256 KiB at the guest's end.
fn header(port: u32, op: u16, len: u32) -> Vec<u8> {
    let mut header = [CID, 2].map(u64::to_le_bytes).concat();
    header.extend([port, 1024, len].map(u32::to_le_bytes).concat());
    header.extend([1, op].map(u16::to_le_bytes).concat());
    header.extend([0, 256 << 10, 0].map(u32::to_le_bytes).concat());
    header
}

struct Bench {
    mmio: Mmio<Vsock<Host>>,
    mem: GuestMemory,
    host: Host,
    rx: Ring,
    tx: Ring,
}

impl Bench {
    fn new() -> Bench {
        let (mem, host) = (memory(END as usize), Host::with_room(usize::MAX));
        let (irq, bell) = (Box::new(Counter::default()), Box::new(Counter::default()));
        let mut mmio = Mmio::new(Vsock::new(CID, host.clone()), mem.clone(), irq, bell);
        let [rx, tx, event] = [0, 1, 2].map(|index| Ring::new(&mem, Ring::LEN * index, 16));
        start(&mut mmio, &[&rx, &tx, &event]);
        Bench { mmio, mem, host, rx, tx }
    }

    /// Sends a packet whose data is in this piece of memory.
    fn send(&mut self, header: &[u8], data: (u64, u32)) {
        self.mem.write_slice(header, GuestAddress(HEADER_AT)).unwrap();
        self.tx.describe(0, &[(HEADER_AT, HEADER, 0), (data.0, data.1, 0)]);
        self.tx.offer(0);
        assert!(!self.mmio.notify(TX));
    }

    /// Offers a buffer, in two parts, of which the second is at `data`. Gives the packet's length, operation, and what it says
    /// of its data's length.
    fn receive(&mut self, data: (u64, u32)) -> Option<(u32, u16, u32)> {
        self.rx.describe(0, &[(ANSWER_AT, HEADER, WRITE), (data.0, data.1, WRITE)]);
        self.rx.offer(0);
        let host = self.host.clone();
        let _ = self.mmio.with_device(|vsock, queues, mem| {
            host.poll(vsock);
            vsock.work(queues, mem)
        });
        let (_, written) = self.rx.take_used()?;
        let field = |at| GuestAddress(ANSWER_AT + at);
        let len = self.mem.read_obj(field(24)).unwrap();
        Some((written, self.mem.read_obj(field(30)).unwrap(), len))
    }

    /// Opens a connection; its stream is the host's last one.
    fn connect(&mut self, port: u32) {
        self.send(&header(port, REQUEST, 0), (HEADER_AT, 0));
        assert_eq!(self.receive((END - 64, 64)), Some((HEADER, RESPONSE, 0)));
    }

    fn is_broken(&mut self) -> bool {
        get(&mut self.mmio, register::STATUS) & NEEDS_RESET != 0
    }
}

/// Firecracker's device checked how long a buffer was, and then trusted how much data the header spoke of, or how much the
/// stream had: a guest that put its buffer at the end of its memory read and wrote what the process had behind it.
#[test]
fn cve_2019_18960_no_packet_goes_beyond_its_buffers_and_the_end_of_memory() {
    // From the guest: the header says more than is there.
    let mut bench = Bench::new();
    for (port, len, claimed) in
        [(1, 8, 9), (2, 8, 0x1_0000), (3, 8, u32::MAX), (4, 0, 1), (5, 1, 0x1_0001)]
    {
        bench.connect(port);
        bench.send(&header(port, RW, claimed), (END - u64::from(len), len));
        assert_eq!(bench.receive((END - 64, 64)), Some((HEADER, RST, 0)), "{len} of {claimed}");
        let world = bench.host.world();
        let stream = world.streams.last().unwrap();
        assert!(stream.from_guest.is_empty() && stream.dropped, "{len} bytes, {claimed} claimed");
    }
    bench.connect(6);
    bench.mem.write_slice(b"the last", GuestAddress(END - 8)).unwrap();
    bench.send(&header(6, RW, 8), (END - 8, 8));
    assert_eq!(bench.host.world().streams.last().unwrap().from_guest, b"the last");
    assert!(!bench.is_broken());

    // To the guest: the stream has more than the buffer takes.
    bench.host.world().streams.last_mut().unwrap().to_guest.extend([0xee; 100_000]);
    for len in [1, 8, 64] {
        let before = END - u64::from(len) - 64;
        bench.mem.write_slice(&[0x55; 64], GuestAddress(before)).unwrap();
        assert_eq!(bench.receive((END - u64::from(len), len)), Some((HEADER + len, RW, len)));
        let mut whole = vec![0; 64 + len as usize];
        bench.mem.read_slice(&mut whole, GuestAddress(before)).unwrap();
        assert_eq!(whole, [vec![0x55; 64], vec![0xee; len as usize]].concat());
    }

    // A buffer of which a part is not memory is none at all.
    assert_eq!(bench.receive((END - 4, 8)), None);
    assert!(bench.is_broken());
    let mut bench = Bench::new();
    bench.connect(1);
    bench.send(&header(1, RW, 8), (END - 4, 8));
    assert!(bench.is_broken() && bench.host.world().streams[0].from_guest.is_empty());
}
