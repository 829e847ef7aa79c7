//! The other end of a link, in memory: a peer that the test plays. It sees whether the device keeps its promises.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vm_memory::VolatileSlice;

use crate::virtio::net::{Backend, HEADER_LEN, Net, OFFLOADS, Refusal, Sent, Waits};

/// What there is at the other end.
#[derive(Default)]
pub struct World {
    /// Packets for the guest.
    pub to_guest: VecDeque<Vec<u8>>,
    /// All packets that the guest sent, whole.
    pub from_guest: Vec<Vec<u8>>,
    /// How many bytes it takes before it would block.
    pub room: usize,
    /// Nobody is there any more.
    pub gone: bool,
    /// Which offloads it can do.
    pub offloads: u64,
    /// It takes frames from the guest's memory, and puts them there.
    pub reaches_guest_memory: bool,
    /// How much it took from there, in bytes, and how much it put there.
    pub lent: [usize; 2],
    /// Which were agreed, each time.
    pub started: Vec<u64>,
    /// The time.
    pub now: Duration,
    /// What the device waits for.
    pub waits: Waits,
    /// A packet of which it has taken a part, and how many bytes of it are left.
    part: Option<(Vec<u8>, usize)>,
}

impl World {
    /// Whether one who waits for this would be called.
    fn is_ready(&self) -> bool {
        let Waits { readable, writable, until, hang_up } = self.waits;
        (readable && (self.gone || !self.to_guest.is_empty()))
            || (writable && (self.gone || self.room > 0))
            || (hang_up && self.gone)
            || until.is_some_and(|until| until <= self.now)
    }
}

/// The back end, and the test's access to it; clones share one world.
#[derive(Clone, Default)]
pub struct Peer(Arc<Mutex<World>>);

impl Peer {
    /// One that takes so many bytes, and has no offloads.
    pub fn with_room(room: usize) -> Self {
        Self(Arc::new(Mutex::new(World { room, ..World::default() })))
    }

    /// One that has all offloads.
    pub fn with_offloads(room: usize) -> Self {
        let peer = Self::with_room(room);
        peer.world().offloads = OFFLOADS;
        peer
    }

    /// All there is, for the test to look at and to change.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One round of a level-triggered poll; true: [`Net::work`] is to be called.
    pub fn poll(&self, net: &mut Net<impl Backend>) -> bool {
        let world = self.world();
        let (ready, gone) = (world.is_ready(), world.gone);
        drop(world);
        if ready && gone {
            net.hung_up();
        }
        ready
    }
}

impl Backend for Peer {
    fn offloads(&self) -> u64 {
        self.world().offloads
    }

    fn start(&mut self, offloads: u64) -> Result<(), Refusal> {
        let mut world = self.world();
        assert_eq!(offloads & !world.offloads, 0, "what was not offered");
        world.started.push(offloads);
        if world.gone { Err(Refusal::Gone) } else { Ok(()) }
    }

    fn reaches_guest_memory(&self) -> bool {
        self.world().reaches_guest_memory
    }

    fn send(&mut self, packet: &mut [u8], rest: &[VolatileSlice<'_>]) -> Result<Sent, Refusal> {
        assert!(packet.len() >= HEADER_LEN, "a header");
        let mut whole = packet.to_vec();
        for slice in rest {
            let start = whole.len();
            whole.resize(start + slice.len(), 0);
            slice.copy_to(&mut whole[start..]);
        }
        assert!(whole.len() >= HEADER_LEN + 14, "an Ethernet header");
        self.flush()?;
        let mut world = self.world();
        assert!(rest.is_empty() || world.reaches_guest_memory, "what was not asked for");
        world.lent[0] += rest.iter().map(VolatileSlice::len).sum::<usize>();
        match world.room {
            0 => Err(Refusal::WouldBlock),
            _ => {
                let len = whole.len();
                world.part = Some((whole, len));
                packet[..HEADER_LEN].fill(0xee);
                drop(world);
                // Part of it is as good as all.
                let _ = self.flush();
                Ok(Sent::Taken)
            }
        }
    }

    fn flush(&mut self) -> Result<(), Refusal> {
        let world = &mut *self.world();
        if world.gone {
            return Err(Refusal::Gone);
        }
        let Some((packet, left)) = world.part.take() else { return Ok(()) };
        let taken = left.min(world.room);
        world.room -= taken;
        if taken == left {
            world.from_guest.push(packet);
            return Ok(());
        }
        world.part = Some((packet, left - taken));
        Err(Refusal::WouldBlock)
    }

    fn receive(&mut self, packet: &mut [u8], lent: &[VolatileSlice<'_>]) -> Result<usize, Refusal> {
        let mut world = self.world();
        assert!(lent.is_empty() || world.reaches_guest_memory, "what was not asked for");
        match world.to_guest.pop_front() {
            Some(next) => {
                let (header, mut rest) = next.split_at(next.len().min(HEADER_LEN));
                packet[..header.len()].copy_from_slice(header);
                let mut place = HEADER_LEN;
                for slice in lent {
                    let (part, behind) = rest.split_at(rest.len().min(slice.len()));
                    slice.copy_from(part);
                    world.lent[1] += part.len();
                    rest = behind;
                    place += slice.len();
                }
                let own_rest = packet.get_mut(place..).unwrap_or_default();
                let len = rest.len().min(own_rest.len());
                own_rest[..len].copy_from_slice(&rest[..len]);
                Ok(next.len())
            }
            None if world.gone => Err(Refusal::Gone),
            None => Err(Refusal::WouldBlock),
        }
    }

    fn now(&self) -> Duration {
        self.world().now
    }

    fn wait_for(&mut self, waits: Waits) {
        let mut world = self.world();
        assert_ne!(world.waits, waits, "a system call for nothing");
        world.waits = waits;
    }
}
