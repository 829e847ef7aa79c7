//! A network device between a driver that means harm and a peer that does too.

use devices::egress::Filter;
use devices::virtio::mmio::Mmio;
use devices::virtio::net::{Filtered, HEADER_LEN, Link, MAX_PACKET, Net, RX, TX};
use devices::virtio::rate::{Limit, RateLimits};
use devices::{Device, GuestMemory};
use egress_rules::{Policy, Rule};
use std::time::Duration;
use vm_memory::{Bytes, GuestAddress};

use crate::driver::{NEXT, Ring, WRITE, is_reachable, set_up, status};
use crate::input::Input;
use devices::testing::net::Peer;
use devices::testing::{Counter, memory};

const SIZE: u16 = 16;
/// The two queues stand in front of the buffers.
const BUFFERS: u64 = 2 * Ring::SPACE;
const MEMORY: usize = BUFFERS as usize + 0x20000;
/// What the peer has ready at most, so that the fuzzer does not measure the queue of a test.
const READY: usize = 600;
/// What a turn may receive: of the longest packets as many as fit its share (16 MiB), as those count that nobody takes, one
/// more, and what the buffers of a queue hold.
const TURN: usize = (16 << 20) / MAX_PACKET + 2 + SIZE as usize;
/// Rounds of an event loop after which nothing may be left to do: each moves a packet at least, or drops one.
const PATIENCE: usize = 2 * READY + 4 * SIZE as usize;

/// What a filtered guest may send: from this address, and IPv4, ARP or IPv6 (IANA, "IEEE 802 Numbers").
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ETHERTYPES: [[u8; 2]; 3] = [[8, 0], [8, 6], [0x86, 0xdd]];

/// A header's offload types (virtio 1.2 §5.1.6) that may reach a back end: none, TCP over IPv4, TCP over IPv6.
const KINDS: [u8; 3] = [0, 1, 4];

/// Descriptors, notifications and bytes of a driver's, packets of a peer's, and time.
pub fn net(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let Some(choice) = input.u8() else { return };
    let peer = if choice & 1 == 0 { Peer::with_room(4096) } else { Peer::with_offloads(4096) };
    let limit = Limit {
        size: u64::from(choice),
        one_time_burst: 100,
        refill_time: Duration::from_millis(u64::from(choice & 2)),
    };
    let limits = RateLimits { bandwidth: None, ops: Some(limit) };
    let mac = (choice & 4 != 0).then_some(MAC);
    let mtu = (choice & 8 != 0).then_some(1400);
    let link = Link { mac, mtu, rx: limits, tx: limits };
    let (mem, line) = (memory(MEMORY), || Box::new(Counter::default()));
    let filter = (choice & 16 != 0).then(filter);
    let is_filtered = filter.is_some();
    let net = Net::new(&link, Filtered::new(peer.clone(), filter));
    let mmio = Mmio::new(net, mem.clone(), line(), line());
    let rings = [0, Ring::SPACE].map(|base| Ring::new(&mem, base, SIZE));
    let mut bench = Bench { mmio, peer, rings, mem, is_filtered };
    while bench.step(&mut input).is_some() {}
    bench.settle();
}

/// One that lets hardly anything through.
fn filter() -> Filter {
    let policy = Policy {
        mac: MAC,
        ipv4: vec![[10, 0, 0, 2].into()],
        ipv6: Vec::new(),
        resolvers: vec![[10, 0, 0, 3].into()],
        rules: vec!["10.9.0.0/16".parse().expect("a rule"), Rule::Dns],
        link_local: false,
    };
    Filter::new(policy).expect("a policy that can be enforced")
}

struct Bench {
    mmio: Mmio<Net<Filtered<Peer>>>,
    peer: Peer,
    rings: [Ring; 2],
    mem: GuestMemory,
    is_filtered: bool,
}

impl Bench {
    fn step(&mut self, input: &mut Input) -> Option<()> {
        match input.u8()? % 12 {
            0 => self.set_up(input.u32()?),
            1 => {
                let queue = usize::from(input.bool()?);
                self.rings[queue].describe(
                    input.u8()?.into(),
                    input.number()?.wrapping_add(BUFFERS),
                    input.number()? as u32,
                    input.u8()?.into(),
                    input.u8()?.into(),
                );
            }
            2 => self.rings[usize::from(input.bool()?)].offer(input.u8()?.into()),
            3 => {
                let at = u64::from(input.u16()?) % MEMORY as u64;
                let len = usize::from(input.u8()? % 33);
                let _ = self.mem.write_slice(input.bytes(len)?, GuestAddress(at));
            }
            4 => self.send(input)?,
            5 => self.offer(input)?,
            6 => self.notify(usize::from(input.bool()?)),
            7 => {
                self.poll();
            }
            8 => {
                let (head, len) = (input.bytes(HEADER_LEN)?, input.number()? as usize);
                let mut packet = head.to_vec();
                packet.resize(len % (MAX_PACKET + 100), 0x55);
                let mut world = self.peer.world();
                if world.to_guest.len() < READY {
                    world.to_guest.push_back(packet);
                }
            }
            9 => {
                let mut world = self.peer.world();
                world.room = world.room.wrapping_add(input.number()? as usize) % (1 << 20);
                world.now = world.now.saturating_add(Duration::from_millis(input.number()?));
            }
            10 => self.peer.world().gone = input.u8()? > 0xf0,
            _ => {
                self.mmio.pause();
                let state = self.mmio.save();
                self.mmio.restore(&state).expect("a device can be in the state that it saved");
                self.mmio.resume();
            }
        }
        self.check();
        Some(())
    }

    fn set_up(&mut self, features: u32) {
        let _ = self.mem.write_slice(&[0; 2 * Ring::SPACE as usize], GuestAddress(0));
        self.rings = [0, Ring::SPACE].map(|base| Ring::new(&self.mem, base, SIZE));
        // What the fuzzer asks for, or no more than every device has.
        if !set_up(&mut self.mmio, features, &self.rings) {
            set_up(&mut self.mmio, 0, &self.rings);
        }
    }

    /// A packet as the specification has it: a header, and a frame in a buffer of its own.
    fn send(&mut self, input: &mut Input) -> Option<()> {
        let header = input.bytes(HEADER_LEN)?;
        let len = input.number()? as u32;
        let first = u16::from(input.u8()? % (SIZE / 2) as u8) * 2;
        self.mem.write_slice(header, GuestAddress(BUFFERS)).expect("room for it");
        self.rings[TX].describe(first, BUFFERS, HEADER_LEN as u32, NEXT, first + 1);
        self.rings[TX].describe(first + 1, BUFFERS + 0x100, len, 0, 0);
        self.rings[TX].offer(first);
        Some(())
    }

    /// A buffer for a packet, or a part of one.
    fn offer(&mut self, input: &mut Input) -> Option<()> {
        let (number, len) = (u16::from(input.u8()?) % SIZE, input.number()? as u32);
        self.rings[RX].describe(number, BUFFERS + 0x100, len, WRITE, 0);
        self.rings[RX].offer(number);
        Some(())
    }

    /// One turn, of which each is bounded.
    fn notify(&mut self, queue: usize) {
        let before = self.peer.world().to_guest.len();
        let _ = self.mmio.notify(queue);
        self.check_turn(before);
    }

    fn poll(&mut self) -> bool {
        let ready = self.peer.poll(self.mmio.device_mut());
        if ready {
            let before = self.peer.world().to_guest.len();
            self.mmio.with_device(|net, queues, mem| net.work(queues, mem));
            self.check_turn(before);
        }
        ready
    }

    fn check_turn(&mut self, before: usize) {
        let received = before - self.peer.world().to_guest.len();
        assert!(received <= TURN, "{received} packets in one turn");
    }

    /// An event loop comes to rest, whatever driver and peer have done.
    fn settle(&mut self) {
        let busy = |bench: &mut Bench| {
            let left_over = bench.mmio.has_backlog();
            if left_over {
                bench.notify(RX);
            }
            bench.check();
            left_over | bench.poll()
        };
        let rounds = (0..PATIENCE).take_while(|_| busy(self)).count();
        assert!(rounds < PATIENCE, "work without an end");
    }

    /// What holds at any time.
    fn check(&mut self) {
        for packet in self.peer.world().from_guest.drain(..) {
            assert!((HEADER_LEN + 14..=MAX_PACKET).contains(&packet.len()));
            assert!(packet[0] <= 1 && KINDS.contains(&packet[1]), "{:?}", &packet[..HEADER_LEN]);
            assert!(packet[1] == 0 || packet[0] == 1, "segments without checksums");
            assert_eq!(packet[10..HEADER_LEN], [0, 0]);
            let frame = &packet[HEADER_LEN..];
            let known = ETHERTYPES.contains(&[frame[12], frame[13]]);
            assert!(!self.is_filtered || frame[6..12] == MAC && known, "{frame:x?}");
        }
        let status = status(&mut self.mmio);
        assert!(is_reachable(status), "{status:#x}");
    }
}
