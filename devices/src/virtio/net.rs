//! A network device (virtio 1.2 §5.1): an Ethernet link for the guest, with one pair of queues, *rx* (to the guest) and
//! *tx* (from the guest). What is at the other end of the link is the [`Backend`]'s business.
//!
//! | module | concept |
//! |---|---|
//! | `config` | features and configuration space |
//! | `packet` | the header of every packet, and what is let through |
//! | `transmit` | from the guest to the back end |
//! | `receive` | from the back end to the guest |
//! | `buffers` | what the guest has for a packet |
//! | `way` | one direction, and its limits |
//! | `backend` | the other end, as a trait |
//! | `state` | what is saved, and restored |
//! | `filtered` | the egress filter in front of any other end |
//!
//! How it is driven: a notification of the driver's makes the device look at that queue. When what [`Backend::wait_for`]
//! was told happens, [`Net::work`] looks at both, through [`Mmio::with_device`](super::mmio::Mmio::with_device).
//!
//! What is checked of a packet is copied, between guest memory and a buffer of the device's: nothing that the guest does
//! meanwhile changes it. That is the header, and where there is a filter the frame. Both directions go on by themselves, whatever the other one waits for:
//!
//! | what is full | what waits | what makes it go on |
//! |---|---|---|
//! | the back end | the guest's packets, in their queue | the back end is writable |
//! | the guest's rx queue | one packet here, the others at the back end | a notification of the rx queue |
//! | a limit | either of these | the time of [`Waits::until`] |
//!
//! In Firecracker's CVE-2020-16843 a link stood still for ever once both were full.
//!
//! Snapshots: the packet that waits here is lost, as packets are. A restored device has another back end, and the driver
//! is told if that makes a difference to its link. Limits and counters begin anew.

mod backend;
mod buffers;
mod config;
mod filtered;
mod packet;
mod receive;
mod state;
#[cfg(test)]
mod tests;
mod transmit;
mod way;

use super::queue::{Chain, Queue, QueueError};
use super::{ImmediateDevice, VirtioDevice, read_config_bytes};
use crate::GuestMemory;
pub use backend::{Backend, Refusal, Sent, Waits};
use buffers::Buffers;
pub use config::{
    F_CSUM, F_GUEST_CSUM, F_GUEST_TSO4, F_GUEST_TSO6, F_HOST_TSO4, F_HOST_TSO6, F_MAC, F_MRG_RXBUF,
    F_MTU, F_STATUS, OFFLOADS,
};
use egress_rules::Counters;
pub use filtered::Filtered;
use packet::Agreed;
pub use packet::{HEADER_LEN, MAX_FRAME, MAX_PACKET};
pub use state::NetState;
pub use way::Link;
use way::Way;

/// The device ID (virtio 1.2 §5).
const DEVICE_ID: u32 = 1;
/// The name in error messages.
const NAME: &str = "virtio-net";
/// The queue to the guest (virtio 1.2 §5.1.2).
pub const RX: usize = 0;
/// The queue from the guest.
pub const TX: usize = 1;
/// Sizes of the two queues.
const QUEUE_SIZES: [u16; 2] = [config::QUEUE_SIZE; 2];

/// A network device.
pub struct Net<B: Backend> {
    link: Link,
    backend: B,
    /// As the driver agreed; none when not running.
    features: u64,
    /// Between DRIVER_OK and reset.
    running: bool,
    link_up: bool,
    /// The driver is to be told that the link is down.
    config_changed: bool,
    from_guest: Agreed,
    to_guest: Agreed,
    tx: Way,
    rx: Way,
    /// Length of the packet in `rx` that waits for buffers; 0: there is none.
    held: usize,
    /// The back end takes no packets now.
    blocked: bool,
    paused: bool,
    /// What the back end was told last.
    waits: Waits,
    counters: Counters,
    /// Kept for its memory.
    chain: Chain,
    buffers: Buffers,
    /// So many buffers are taken before it is known how long a packet is: as many as the longest of late has, 1 at least.
    ahead: usize,
}

impl<B: Backend> Net<B> {
    /// A device whose link leads to `backend`.
    pub fn new(link: &Link, backend: B) -> Self {
        Self {
            link: *link,
            backend,
            features: 0,
            running: false,
            link_up: true,
            config_changed: false,
            from_guest: Agreed::default(),
            to_guest: Agreed::default(),
            tx: Way::new(&link.tx),
            rx: Way::new(&link.rx),
            held: 0,
            blocked: false,
            paused: false,
            waits: Waits::default(),
            counters: Counters::default(),
            chain: Chain::default(),
            buffers: Buffers::default(),
            ahead: 1,
        }
    }

    /// Whether somebody is at the other end.
    pub fn is_link_up(&self) -> bool {
        self.link_up
    }

    /// The other end.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// How much went over the link since the device was made, whatever became of its driver meanwhile.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Does all there is to do.
    pub fn work(&mut self, queues: &mut [Queue], mem: &GuestMemory) -> Result<(), QueueError> {
        self.work_on(&[TX, RX], queues, mem)
    }

    /// Whether it waits for something to receive, and so finds by itself that nobody is there any more.
    pub fn is_receiving(&self) -> bool {
        self.waits.readable
    }

    /// The other end has hung up. What it has still sent is received, if there is room for it now; [`Net::work`] finds
    /// the end of it.
    pub fn hung_up(&mut self) {
        if !self.is_receiving() {
            self.lose_link();
            self.sync_waits();
        }
    }

    fn work_on(
        &mut self,
        which: &[usize],
        queues: &mut [Queue],
        mem: &GuestMemory,
    ) -> Result<(), QueueError> {
        let [rx, tx] = queues else { return Ok(()) };
        let result = which.iter().try_for_each(|queue| match *queue {
            TX => match self.transmit(tx, mem) {
                // What was answered at once is nobody's event.
                Ok(()) if self.backend.has_packets() => self.receive(rx, mem),
                result => result,
            },
            _ => self.receive(rx, mem),
        });
        if result.is_err() {
            // The transport stops the device; nothing may be waited for that it can't serve.
            self.stop();
        }
        self.sync_waits();
        result
    }

    fn lose_link(&mut self) {
        if std::mem::replace(&mut self.link_up, false) {
            self.config_changed = true;
            self.blocked = false;
            (self.tx.ready_at, self.rx.ready_at) = (None, None);
        }
    }

    fn stop(&mut self) {
        self.running = false;
        self.features = 0;
        self.held = 0;
        self.blocked = false;
        (self.tx.ready_at, self.rx.ready_at) = (None, None);
        self.sync_waits();
    }

    /// Begins with what the driver agreed to.
    fn start(&mut self, features: u64) {
        (self.running, self.features) = (true, features);
        let usable = config::usable(features);
        let has = |feature| usable & feature != 0;
        let (csum, tso4, tso6) = (has(F_CSUM), has(F_HOST_TSO4), has(F_HOST_TSO6));
        self.ahead = 1;
        self.from_guest = Agreed { csum, tso4, tso6, valid: false, mtu: None };
        let (csum, tso4, tso6) = (has(F_GUEST_CSUM), has(F_GUEST_TSO4), has(F_GUEST_TSO6));
        // A device must pass on no longer frame (virtio 1.2 §5.1.4.1).
        let mtu = self.link.mtu.filter(|_| has(F_MTU));
        self.to_guest = Agreed { csum, tso4, tso6, valid: csum, mtu };
        if self.link_up && self.backend.start(usable & OFFLOADS).is_err() {
            self.lose_link();
        }
        self.sync_waits();
    }

    /// Tells the back end what the device waits for.
    fn sync_waits(&mut self) {
        let mut waits = Waits::default();
        if self.running && self.link_up && !self.paused {
            let until = [self.tx.ready_at, self.rx.ready_at].into_iter().flatten().min();
            let readable = self.held == 0 && self.rx.ready_at.is_none();
            waits = Waits { readable, writable: self.blocked, until, hang_up: true };
        }
        if waits != self.waits {
            self.waits = waits;
            self.backend.wait_for(waits);
        }
    }
}

impl<B: Backend> VirtioDevice for Net<B> {
    fn device_id(&self) -> u32 {
        DEVICE_ID
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &QUEUE_SIZES
    }

    fn features(&self) -> u64 {
        let mac = if self.link.mac.is_some() { F_MAC } else { 0 };
        let mtu = if self.link.mtu.is_some() { F_MTU } else { 0 };
        F_MRG_RXBUF | F_STATUS | mac | mtu | self.backend.offloads() & OFFLOADS
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        let (mac, mtu) = (self.link.mac.unwrap_or_default(), self.link.mtu.unwrap_or_default());
        read_config_bytes(&config::layout(mac, self.link_up, mtu), offset, data);
    }

    fn activate(&mut self, features: u64, _queues: &[Queue]) {
        self.start(features);
    }

    fn take_config_change(&mut self) -> bool {
        std::mem::take(&mut self.config_changed)
    }
}

impl<B: Backend> ImmediateDevice for Net<B> {
    fn process(
        &mut self,
        index: usize,
        queues: &mut [Queue],
        mem: &GuestMemory,
    ) -> Result<(), QueueError> {
        // What is sent is often answered at once, as by the host's own kernel: then one turn does, and one interrupt.
        match index == TX && self.is_receiving() {
            true => self.work(queues, mem),
            false => self.work_on(&[index], queues, mem),
        }
    }
}
