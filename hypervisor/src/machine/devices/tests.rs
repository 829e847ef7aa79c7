//! A disk that takes as long as a test says, and who waits for it: nobody.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::devices::virtio::block::{Block, Disk};
use ::devices::virtio::mmio::{Mmio, QUEUE_NOTIFY};
use ::devices::virtio::vsock::Vsock;
use ::devices::{Bell, GuestMemory, Interrupt, Registers};
use vm_memory::{Bytes, GuestAddress, VolatileSlice};

use super::block::AttachedBlock;
use super::slot::Plugged;
use super::vsock::AttachedVsock;
use super::*;
use crate::event::Wake;
use crate::vsock::{Listener, Sockets};

/// Far longer than any pause of a loaded machine.
const NEVER: Duration = Duration::from_secs(600);

/// Each read says that it has begun, and waits until it may go on.
struct SlowDisk {
    begun: Sender<()>,
    go: Receiver<()>,
}

impl Disk for SlowDisk {
    fn len(&self) -> u64 {
        4096
    }

    fn read_at(&mut self, _offset: u64, _buffers: &[VolatileSlice]) -> io::Result<()> {
        self.begun.send(()).map_err(io::Error::other)?;
        self.go.recv().map_err(io::Error::other)
    }
}

struct Line(Mutex<Sender<()>>);

impl Interrupt for Line {
    fn raise(&self) {
        // The guest may be gone.
        let _ = self.0.lock().unwrap().send(());
    }
}

/// A guest with a running block device.
struct Guest {
    memory: GuestMemory,
    mmio: Arc<Mutex<Mmio<Block>>>,
    /// What KVM would ring.
    notification: Notification,
    interrupts: Receiver<()>,
    /// The disk has begun to read; it is gone once this has no other end.
    begun: Receiver<()>,
    go: Sender<()>,
    offered: u16,
}

const AVAILABLE: u64 = 0x1000;
const USED: u64 = 0x2000;

impl Guest {
    fn new() -> (Guest, AttachedBlock) {
        let (begun_sender, begun) = channel();
        let (go, go_receiver) = channel();
        let (interrupt, interrupts) = channel();
        let memory = GuestMemory::from_ranges(&[(GuestAddress(0), 0x10000)]).unwrap();
        let disk = Box::new(SlowDisk { begun: begun_sender, go: go_receiver });
        let notification = Notification::unconnected();
        let device = Plugged::new(
            Block::new(disk.len(), "slow", true),
            memory.clone(),
            Box::new(Line(Mutex::new(interrupt))),
            vec![notification.clone()],
            None,
        );
        let mmio = device.mmio().clone();
        let mut guest = Guest { memory, mmio, notification, interrupts, begun, go, offered: 0 };
        guest.set_up();
        (guest, AttachedBlock::new("slow", disk, device))
    }

    /// The handshake of virtio 1.2 §3.1.1, with one queue of 4.
    fn set_up(&mut self) {
        for (register, value) in [
            (0x70, 1),
            (0x70, 3),
            (0x24, 1),
            (0x20, 1),
            (0x70, 11),
            (0x38, 4),
            (0x90, AVAILABLE as u32),
            (0xa0, USED as u32),
            (0x44, 1),
            (0x70, 15),
        ] {
            self.write(register, value);
        }
        // A header of zeroes asks for sector 0.
        for (index, (address, len, flags)) in
            (0..).zip([(0x4000_u64, 16_u32, 1_u16), (0x5000, 512, 3), (0x6000, 1, 2)])
        {
            let descriptor = index * 16;
            self.memory.write_obj(address, GuestAddress(descriptor)).unwrap();
            self.memory.write_obj(len, GuestAddress(descriptor + 8)).unwrap();
            self.memory.write_obj(flags, GuestAddress(descriptor + 12)).unwrap();
            self.memory.write_obj(index as u16 + 1, GuestAddress(descriptor + 14)).unwrap();
        }
    }

    fn write(&self, register: u64, value: u32) {
        self.mmio.lock().unwrap().write(register, &value.to_le_bytes());
    }

    fn status(&self) -> u32 {
        let mut data = [0; 4];
        self.mmio.lock().unwrap().read(0x70, &mut data);
        u32::from_le_bytes(data)
    }

    /// Asks for sector 0, and notifies the queue.
    fn ask(&mut self) {
        self.offered += 1;
        self.memory.write_obj(self.offered, GuestAddress(AVAILABLE + 2)).unwrap();
        self.notification.ring();
    }

    fn used(&self) -> u16 {
        self.memory.read_obj(GuestAddress(USED + 2)).unwrap()
    }
}

#[test]
fn a_disk_that_hangs_keeps_nobody_waiting() {
    let (mut guest, block) = Guest::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v");
    let (listener, _name) = Listener::bind(&path).unwrap().into_parts();
    let (sockets, backend) = Sockets::new(listener, path.as_os_str()).unwrap();
    let queues = (0..3).map(|_| Notification::unconnected()).collect();
    let irq = Box::new(Line(Mutex::new(channel().0)));
    let device = Plugged::new(Vsock::new(3, backend), guest.memory.clone(), irq, queues, None);
    let mut devices = Devices(vec![Box::new(block), Box::new(AttachedVsock { sockets, device })]);
    let mut poll = Poll::new().unwrap();
    let (signal, console) = (Wake::new().unwrap(), Wake::new().unwrap());
    poll.add(&signal, Source::Signal).unwrap();
    poll.add(&console, Source::Input).unwrap();
    devices.wait_for_drivers(&poll).unwrap();
    devices.wait_for_host(&poll).unwrap();
    devices.start(&mut RollCall::without_filters()).unwrap();

    guest.ask();
    guest.begun.recv().unwrap();
    // A vCPU gets at the registers, and the event loop at all else.
    assert_eq!(guest.status(), 15);
    guest.write(QUEUE_NOTIFY, 0);
    let _program = UnixStream::connect(&path).unwrap();
    signal.wake();
    console.wake();
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let mut ready = Vec::new();
        poll.wait(&mut ready, None).unwrap();
        for source in ready {
            match source {
                Source::Device(device) => devices.ready(device).unwrap(),
                Source::Signal => signal.clear(),
                Source::Input => console.clear(),
                other => panic!("{other:?}"),
            }
            seen.push(source);
        }
    }
    for source in [Source::Signal, Source::Input, Source::Device(1)] {
        assert!(seen.contains(&source), "{seen:?}");
    }
    assert_eq!(guest.used(), 0);
    guest.go.send(()).unwrap();
    guest.interrupts.recv().unwrap();
    assert_eq!(guest.used(), 1);
}

#[test]
fn a_pause_waits_for_the_request_under_way_and_for_no_other() {
    let (mut guest, mut block) = Guest::new();
    block.start(&mut RollCall::without_filters()).unwrap();
    guest.ask();
    guest.ask();
    guest.begun.recv().unwrap();
    guest.go.send(()).unwrap();
    // Whether the first is still under way or the second already: it is answered, and told.
    guest.go.send(()).unwrap();
    block.pause_within(NEVER);
    let used = guest.used();
    assert!((1..=2).contains(&used), "{used}");
    assert!(guest.interrupts.try_recv().is_ok());
    guest.ask();
    drop(block);
    // The thread has ended, and with it the disk.
    while guest.begun.recv().is_ok() {}
    assert_eq!((guest.used(), guest.interrupts.try_recv().is_err()), (used, true));
}

#[test]
fn a_pause_does_without_a_disk_that_hangs() {
    let (mut guest, mut block) = Guest::new();
    block.start(&mut RollCall::without_filters()).unwrap();
    guest.ask();
    guest.begun.recv().unwrap();
    block.pause_within(Duration::ZERO);
    guest.go.send(()).unwrap();
    drop(block);
    while guest.begun.recv().is_ok() {}
    // The request was done after all, and nobody hears of it.
    assert_eq!((guest.used(), guest.interrupts.try_recv().is_err()), (0, true));
}
