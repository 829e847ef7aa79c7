//! A device that is set up, and the guest's side of its rings.

use devices::GuestMemory;
use devices::limits::MAX_CONNECTIONS;
use devices::virtio::mmio::Mmio;
use devices::virtio::vsock::{BUF_ALLOC, Vsock};
use vm_memory::{Bytes, GuestAddress};

use crate::driver::{Ring, WRITE, is_reachable, set_up, status};
use devices::testing::vsock::Host;
use devices::testing::{Counter, memory};

/// The guest's context identifier.
pub const CID: u64 = 3;
/// The length of a packet's header (virtio 1.2 §5.10.6).
pub const HEADER: usize = 44;
/// The longest packet that the guest takes, and sends.
pub const PACKET: usize = HEADER + 1024;

/// `VIRTIO_VSOCK_OP_*` (virtio 1.2 §5.10.6).
pub mod op {
    pub const REQUEST: u16 = 1;
    pub const RESPONSE: u16 = 2;
    pub const RST: u16 = 3;
    pub const SHUTDOWN: u16 = 4;
    pub const RW: u16 = 5;
    pub const CREDIT_UPDATE: u16 = 6;
    pub const CREDIT_REQUEST: u16 = 7;
}

/// The rx, tx and event queues stand here, and behind them the buffers of rx and tx.
const BUFFERS: u64 = 3 * Ring::SPACE;
/// Buffers of each, one descriptor a buffer.
const COUNT: u16 = 16;
const MEMORY: usize = BUFFERS as usize + 2 * COUNT as usize * PACKET;
/// What the device may owe one guest in turns: each takes a ring of chains.
const PATIENCE: usize = 4096;

/// A packet's header, as numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub src_cid: u64,
    pub dst_cid: u64,
    pub src_port: u32,
    pub dst_port: u32,
    pub len: u32,
    pub kind: u16,
    pub op: u16,
    pub flags: u32,
    pub buf_alloc: u32,
    pub fwd_cnt: u32,
}

impl Header {
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend(self.src_cid.to_le_bytes());
        bytes.extend(self.dst_cid.to_le_bytes());
        for word in [self.src_port, self.dst_port, self.len] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(self.kind.to_le_bytes());
        bytes.extend(self.op.to_le_bytes());
        for word in [self.flags, self.buf_alloc, self.fwd_cnt] {
            bytes.extend(word.to_le_bytes());
        }
        bytes
    }

    /// Reads a packet of the device's.
    fn of(packet: &[u8]) -> Self {
        let number = |at: usize, len: usize| {
            let bytes = packet[at..at + len].iter().rev();
            bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        Self {
            src_cid: number(0, 8),
            dst_cid: number(8, 8),
            src_port: number(16, 4) as u32,
            dst_port: number(20, 4) as u32,
            len: number(24, 4) as u32,
            kind: number(28, 2) as u16,
            op: number(30, 2) as u16,
            flags: number(32, 4) as u32,
            buf_alloc: number(36, 4) as u32,
            fwd_cnt: number(40, 4) as u32,
        }
    }
}

pub struct Bench {
    pub mmio: Mmio<Vsock<Host>>,
    pub host: Host,
    mem: GuestMemory,
    rx: Ring,
    tx: Ring,
    /// Buffers of the rx and of the tx queue that the device does not have.
    free: [Vec<u16>; 2],
}

impl Bench {
    pub fn new() -> Self {
        let (mem, host) = (memory(MEMORY), Host::with_room(1 << 20));
        host.world().refuses = |port| port == 0;
        let line = || Box::new(Counter::default());
        let mut mmio = Mmio::new(Vsock::new(CID, host.clone()), mem.clone(), line(), line());
        let ring = |number: u64| Ring::new(&mem, number * Ring::SPACE, COUNT);
        let (rx, tx) = (ring(0), ring(1));
        assert!(set_up(&mut mmio, 0, &[rx.clone(), tx.clone(), ring(2)]));
        let free = std::array::from_fn(|_| (0..COUNT).collect());
        Self { mmio, host, mem, rx, tx, free }
    }

    fn buffer(&self, queue: u64, number: u16) -> u64 {
        BUFFERS + (queue * u64::from(COUNT) + u64::from(number)) * PACKET as u64
    }

    /// Gives the device up to so many buffers for packets.
    pub fn offer_rx(&mut self, count: usize) {
        for _ in 0..count {
            let Some(number) = self.free[0].pop() else { break };
            self.rx.describe(number, self.buffer(0, number), PACKET as u32, WRITE, 0);
            self.rx.offer(number);
        }
    }

    /// Sends a packet, unless the device has all buffers: then it is lost.
    pub fn send(&mut self, packet: &[u8]) -> bool {
        let Some(number) = self.free[1].pop() else { return false };
        let (at, len) = (self.buffer(1, number), packet.len().min(PACKET));
        self.mem.write_slice(&packet[..len], GuestAddress(at)).expect("room for it");
        self.tx.describe(number, at, len as u32, 0, 0);
        self.tx.offer(number);
        true
    }

    /// Has the device do what there is to do.
    pub fn work(&mut self) {
        // Each call has a bound, and so has what the guest has asked for.
        for queue in [0, 1] {
            let turns = (0..PATIENCE).take_while(|_| self.mmio.notify(queue)).count();
            assert!(turns < PATIENCE, "work without an end");
        }
        self.check();
    }

    /// Tells the device which streams are ready; says how many.
    pub fn poll(&mut self) -> usize {
        let ready = self.host.poll(self.mmio.device_mut());
        self.mmio.with_device(|vsock, queues, mem| vsock.work(queues, mem));
        self.check();
        ready
    }

    /// What holds at any time.
    fn check(&mut self) {
        let held = self.host.held();
        assert!(held <= MAX_CONNECTIONS);
        // Besides what the guest may send ahead: the line that tells a host's program its port.
        let most = held * (BUF_ALLOC as usize + "OK 4294967295\n".len());
        assert!(self.mmio.device().buffered() <= most);
        let status = status(&mut self.mmio);
        assert!(is_reachable(status), "{status:#x}");
    }

    /// The next packet from the device. Every one is well-formed.
    pub fn receive(&mut self) -> Option<(Header, Vec<u8>)> {
        while let Some((number, written)) = self.tx.take() {
            assert_eq!(written, 0, "the device writes nothing to what it reads");
            self.free[1].push(number as u16);
        }
        let (number, written) = self.rx.take()?;
        self.free[0].push(number as u16);
        let mut packet = vec![0; written as usize];
        let at = GuestAddress(self.buffer(0, number as u16));
        self.mem.read_slice(&mut packet, at).expect("no more than a buffer");
        assert!(packet.len() >= HEADER);
        let header = Header::of(&packet);
        assert_eq!((header.src_cid, header.dst_cid), (2, CID));
        assert_eq!(header.len as usize, packet.len() - HEADER);
        assert!((op::REQUEST..=op::CREDIT_REQUEST).contains(&header.op));
        assert!(header.len == 0 || header.op == op::RW);
        Some((header, packet.split_off(HEADER)))
    }
}
