//! The transport's registers.

use std::io;

use devices::testing::{Counter, memory};
use devices::virtio::mmio::Mmio;
use devices::virtio::queue::QueueState;
use devices::virtio::rng::{Entropy, Rng};
use devices::{Device, GuestMemory};
use vm_memory::{Bytes, GuestAddress};

use super::driver::register::*;
use super::driver::{Ring, WRITE, get, put, start};

/// What the device writes, and what is there before.
const RANDOM: u8 = 0xee;
const UNTOUCHED: u8 = 0x55;
const MEMORY: usize = 0x1_0000;
/// The queue's own size; the device's largest is 64.
const SIZE: u16 = 4;
const BUFFER_AT: u64 = 0x8000;
const BUFFER_LEN: u32 = 16;

struct Source;

impl Entropy for Source {
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.fill(RANDOM);
        Ok(())
    }
}

struct Bench {
    mmio: Mmio<Rng>,
    mem: GuestMemory,
    ring: Ring,
}

impl Bench {
    fn new() -> Bench {
        let mem = memory(MEMORY);
        mem.write_slice(&[UNTOUCHED; MEMORY], GuestAddress(0)).unwrap();
        mem.write_slice(&[0; Ring::LEN as usize], GuestAddress(0)).unwrap();
        let (irq, bell) = (Box::new(Counter::default()), Box::new(Counter::default()));
        let mut mmio = Mmio::new(Rng::new(Box::new(Source)), mem.clone(), irq, bell);
        let ring = Ring::new(&mem, 0, SIZE);
        start(&mut mmio, &[&ring]);
        ring.describe(0, &[(BUFFER_AT, BUFFER_LEN, WRITE)]);
        Bench { mmio, mem, ring }
    }

    fn queue(&self) -> QueueState {
        self.mmio.save().queues[0].clone()
    }

    /// Has the queue go round more than once. Nothing but its ring and its buffer is written to.
    fn serve(&mut self) {
        let rounds = if get(&mut self.mmio, QUEUE_READY) == 1 { 2 * SIZE } else { 0 };
        for _ in 0..2 * SIZE {
            self.ring.offer(0);
            assert!(!self.mmio.notify(0));
        }
        let served = std::iter::from_fn(|| self.ring.take_used());
        assert_eq!(served.collect::<Vec<_>>(), vec![(0, BUFFER_LEN); rounds.into()]);
        let mut after = vec![0; MEMORY];
        self.mem.read_slice(&mut after, GuestAddress(0)).unwrap();
        // virtio 1.2 §2.7.8: flags, index and elements of the used ring.
        let ring_end = self.ring.used() as usize + 4 + 8 * usize::from(SIZE);
        assert!(after[ring_end..Ring::LEN as usize].iter().all(|&byte| byte == 0));
        let (start, end) = (BUFFER_AT as usize, BUFFER_AT as usize + BUFFER_LEN as usize);
        let mut others = after[Ring::LEN as usize..start].iter().chain(&after[end..]);
        assert!(others.all(|&byte| byte == UNTOUCHED));
    }
}

/// Firecracker's PCI transport checked a queue's areas when the device was activated, and let the driver change the queue's size
/// afterwards: a size of 0 was a division by zero, a larger one led out of the areas that had been checked.
#[test]
fn cve_2026_5747_a_queue_in_use_keeps_its_size_and_its_place() {
    let mut writes: Vec<(u64, u32)> =
        [0, 1, 2, 3, 8, 64, 128, 0x8000, 0x1_0004, u32::MAX].map(|size| (QUEUE_NUM, size)).into();
    for low in [QUEUE_DESC_LOW, QUEUE_DRIVER_LOW, QUEUE_DEVICE_LOW] {
        writes.extend([(low, BUFFER_AT as u32), (low, MEMORY as u32 - 16), (low, u32::MAX)]);
    }
    writes.extend([(QUEUE_DESC_HIGH, 1), (QUEUE_DEVICE_HIGH, u32::MAX)]);
    // Out of use, and into use again; and as if all began anew, without a reset.
    writes.extend([(QUEUE_READY, 0), (QUEUE_READY, 1), (STATUS, 11), (STATUS, 15), (QUEUE_SEL, 1)]);
    for first in &writes {
        for second in &writes {
            let mut bench = Bench::new();
            let expected = bench.queue();
            for &(register, value) in [first, second, &(QUEUE_READY, 1)] {
                put(&mut bench.mmio, register, value);
            }
            let is_stopped = [first, second].contains(&&(QUEUE_READY, 0));
            let found = bench.queue();
            assert_eq!(
                found.ready,
                !is_stopped || *first == (QUEUE_SEL, 1),
                "{first:?} {second:?}"
            );
            assert_eq!(QueueState { ready: true, ..found }, expected, "{first:?} {second:?}");
            put(&mut bench.mmio, QUEUE_SEL, 0);
            bench.serve();
        }
    }
}
