//! A guest with a running device, and the event loop that serves it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use devices::virtio::mmio::Mmio;
use devices::virtio::net::RX;
use devices::{Bell, GuestMemory, Interrupt, Registers};
use egress_rules::Policy;
use vm_memory::{Bytes, GuestAddress};

use super::super::super::Devices;
use super::super::super::slot::Front;
use super::*;
use crate::bus::SharedRegisters;
use crate::event::{Poll, Source};

/// Far longer than any pause of a loaded machine.
const NEVER: Duration = Duration::from_secs(600);

/// Buffers of each queue.
const SIZE: u16 = 16;
/// A buffer's length in bytes, which holds the longest packet.
const BUFFER: u64 = 0x11000;
const BUFFERS: u64 = 0x10000;

struct Line(Mutex<Sender<()>>);

impl Interrupt for Line {
    fn raise(&self) {
        // The guest may be gone.
        let _ = self.0.lock().unwrap().send(());
    }
}

pub struct Guest {
    memory: GuestMemory,
    mmio: Arc<Mutex<Mmio<Net<Filtered<HostBackend>>>>>,
    front: Front<Net<Filtered<HostBackend>>>,
    queues: Vec<Notification>,
    devices: Devices,
    poll: Poll,
    _interrupts: Receiver<()>,
    offered: [u16; 2],
    seen: [u16; 2],
}

/// The areas of a queue: descriptors, available ring, used ring.
fn areas(queue: usize) -> [u64; 3] {
    [0, 0x1000, 0x2000].map(|area| queue as u64 * 0x4000 + area)
}

impl Guest {
    pub fn new(link: &Link, end: End, features: u64) -> Guest {
        Self::telling(link, OpenedInterface { end, report: None }, None, features)
    }

    /// One whose frames may be filtered, and whose interface may tell of itself.
    pub fn telling(
        link: &Link,
        opened: OpenedInterface,
        policy: Option<Policy>,
        features: u64,
    ) -> Guest {
        let length = (BUFFERS + 2 * u64::from(SIZE) * BUFFER) as usize;
        let memory = GuestMemory::from_ranges(&[(GuestAddress(0), length)]).unwrap();
        let (backend, events) = HostBackend::new(opened.end).unwrap();
        let alarm = || events.report_alarm().unwrap();
        let teller = opened.report.map(|file| Teller::new(file, alarm()).unwrap());
        let queues: Vec<_> = (0..2).map(|_| Notification::unconnected()).collect();
        let (sender, _interrupts) = channel();
        let line = Box::new(Line(Mutex::new(sender)));
        let filter = policy.map(|policy| Filter::new(policy).unwrap());
        let net = Net::new(link, Filtered::new(backend, filter));
        let device = Plugged::new(net, memory.clone(), line, queues.clone(), None);
        let (mmio, front) = (device.mmio().clone(), device.front());
        let attached = AttachedNet::new("eth0", events, teller, device);
        let devices = Devices(vec![Box::new(attached)]);
        let poll = Poll::new().unwrap();
        devices.wait_for_drivers(&poll).unwrap();
        devices.wait_for_host(&poll).unwrap();
        let (offered, seen) = ([0; 2], [0; 2]);
        let mut guest =
            Guest { memory, mmio, front, queues, devices, poll, _interrupts, offered, seen };
        guest.set_up(features);
        guest
    }

    /// The handshake of virtio 1.2 §3.1.1, and a full rx queue.
    fn set_up(&mut self, features: u64) {
        self.write(0x70, 1);
        self.write(0x70, 3);
        for (half, bits) in [(0, features as u32), (1, 1)] {
            self.write(0x24, half);
            self.write(0x20, bits);
        }
        self.write(0x70, 11);
        for queue in [RX, TX] {
            self.write(0x30, queue as u32);
            self.write(0x38, SIZE.into());
            for (register, area) in [0x80, 0x90, 0xa0].into_iter().zip(areas(queue)) {
                self.write(register, area as u32);
            }
            self.write(0x44, 1);
        }
        self.write(0x70, 15);
        assert_eq!(self.read(0x70), 15);
        for buffer in 0..SIZE {
            self.describe(RX, buffer, BUFFER as u32, 2);
            self.offer(RX, buffer);
        }
    }

    fn write(&self, register: u64, value: u32) {
        self.mmio.lock().unwrap().write(register, &value.to_le_bytes());
    }

    pub fn read(&self, register: u64) -> u32 {
        let mut data = [0; 4];
        self.mmio.lock().unwrap().read(register, &mut data);
        u32::from_le_bytes(data)
    }

    /// Why the device has interrupted, before this was acknowledged and after it, while it is at work.
    pub fn acknowledge(&self) -> [u32; 2] {
        let _working = self.mmio.lock().unwrap();
        let status = || {
            let mut data = [0; 4];
            self.front.read(0x60, &mut data);
            u32::from_le_bytes(data)
        };
        let before = status();
        self.front.write(0x64, &before.to_le_bytes());
        [before, status()]
    }

    pub fn is_link_up(&self) -> bool {
        self.read(0x104) >> 16 & 1 == 1
    }

    fn buffer(queue: usize, number: u16) -> GuestAddress {
        GuestAddress(BUFFERS + (queue as u64 * u64::from(SIZE) + u64::from(number)) * BUFFER)
    }

    fn describe(&self, queue: usize, number: u16, len: u32, flags: u64) {
        let fields = [Self::buffer(queue, number).0, u64::from(len) | flags << 32];
        let at = areas(queue)[0] + 16 * u64::from(number);
        self.memory.write_obj(fields, GuestAddress(at)).unwrap();
    }

    fn offer(&mut self, queue: usize, number: u16) {
        let slot = u64::from(self.offered[queue] % SIZE);
        let ring = areas(queue)[1];
        self.memory.write_obj(number, GuestAddress(ring + 4 + 2 * slot)).unwrap();
        self.offered[queue] += 1;
        self.memory.write_obj(self.offered[queue], GuestAddress(ring + 2)).unwrap();
        self.queues[queue].ring();
    }

    /// The next chain that came back: its number, and how much was written.
    fn take(&mut self, queue: usize) -> Option<(u16, u32)> {
        let ring = areas(queue)[2];
        let used: u16 = self.memory.read_obj(GuestAddress(ring + 2)).unwrap();
        if used == self.seen[queue] {
            return None;
        }
        let slot = ring + 4 + 8 * u64::from(self.seen[queue] % SIZE);
        self.seen[queue] += 1;
        let [number, len]: [u32; 2] = self.memory.read_obj(GuestAddress(slot)).unwrap();
        Some((number as u16, len))
    }

    /// Sends a packet, waiting for a buffer if there is none.
    pub fn send(&mut self, packet: &[u8]) {
        let number = match self.offered[TX] {
            number @ 0..SIZE => number,
            _ => self.wait(|guest| guest.take(TX)).0,
        };
        self.memory.write_slice(packet, Self::buffer(TX, number)).unwrap();
        self.describe(TX, number, packet.len() as u32, 0);
        self.offer(TX, number);
    }

    /// The next packet that comes.
    pub fn receive(&mut self) -> Vec<u8> {
        let (number, len) = self.wait(|guest| guest.take(RX));
        let mut packet = vec![0; len as usize];
        self.memory.read_slice(&mut packet, Self::buffer(RX, number)).unwrap();
        self.offer(RX, number);
        packet
    }

    /// Has the event loop run until there is something.
    pub fn wait<R>(&mut self, mut look: impl FnMut(&mut Guest) -> Option<R>) -> R {
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(self.turn(NEVER), "nothing happens any more");
        }
    }

    /// The machine ends.
    pub fn end(&mut self) {
        self.devices.pause();
    }

    /// Has it run until nothing happens for so long.
    pub fn run_dry(&mut self, for_long: Duration) {
        while self.turn(for_long) {}
    }

    /// One wait of the event loop's, this long; whether something has happened.
    fn turn(&mut self, for_long: Duration) -> bool {
        let mut ready = Vec::new();
        self.poll.wait(&mut ready, Some(for_long)).unwrap();
        for source in &ready {
            match *source {
                Source::Device(device) => self.devices.ready(device).unwrap(),
                Source::Queue { device, queue } => self.devices.notify(device, queue),
                other => panic!("{other:?}"),
            }
        }
        !ready.is_empty()
    }
}
