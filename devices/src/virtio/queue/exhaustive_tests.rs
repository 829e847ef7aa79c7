//! All there is, where it is little: each state of small queues, instead of some states of large ones. In place of proofs:
//! Kani's compiler is in no package registry (CONTRIBUTING.md).

mod chains;

use vm_memory::{Bytes, GuestAddress};

use super::driver::{Desc, Driver, WRITE};
use super::*;
use crate::testing::memory;

const SIZES: [u16; 4] = [1, 2, 4, 8];

/// A queue of this size that stands at these positions.
fn queue(driver: &Driver, mem: &GuestMemory, next_avail: u16, next_used: u16) -> Queue {
    let state = driver.device().state().clone();
    let signalled_used = next_used;
    Queue::from_state(QueueState { next_avail, next_used, signalled_used, ..state }, mem).unwrap()
}

/// Each of the 65536 available indexes: a chain is taken if and only if 1 to `size` of them are there, and from its slot.
#[test]
fn every_available_index_is_within_the_queue_or_refused() {
    for size in SIZES {
        let mem = memory(0x4000);
        let driver = Driver::new(&mem, 0, size);
        for slot in 0..size {
            // By its address it tells which slot it is from.
            let addr = 0x3000 + u64::from(slot);
            driver.describe(slot, Desc { addr, len: 1, flags: WRITE, next: 0 });
            driver.store(driver.avail + 4 + 2 * u64::from(slot), slot);
        }
        for next in [0, 1, size - 1, size, 0x7fff, 0x8000, 0xfffd, 0xfffe, 0xffff] {
            for idx in 0..=u16::MAX {
                driver.store(driver.avail + 2, idx);
                let mut queue = queue(&driver, &mem, next, 0);
                match (idx.wrapping_sub(next), queue.pop(&mem)) {
                    (0, Ok(None)) => assert_eq!(queue.state.next_avail, next),
                    (pending, Ok(Some(chain))) if (1..=size).contains(&pending) => {
                        assert_eq!(chain.head, next % size);
                        assert_eq!(chain.writable[0].addr.0, 0x3000 + u64::from(next % size));
                        assert_eq!(queue.state.next_avail, next.wrapping_add(1));
                    }
                    (pending, Err(QueueError::AvailableIndex { .. })) if pending > size => {}
                    (pending, result) => panic!("{pending} of {size} at {next}: {result:?}"),
                }
            }
        }
    }
}

/// Each of the 65536 used positions: an element goes to its slot, the index is one more, and nothing else is written.
#[test]
fn every_used_position_writes_its_slot_alone() {
    for size in SIZES {
        let mem = memory(0x4000);
        let driver = Driver::new(&mem, 0, size);
        let len = 4 + 8 * usize::from(size) + 16;
        // From before the ring to behind its end.
        let around = GuestAddress(driver.used - 8);
        for next in 0..=u16::MAX {
            let mut expected = vec![0x55; 8 + len];
            mem.write_slice(&expected, around).unwrap();
            let mut queue = queue(&driver, &mem, 0, next);
            queue.push(&mem, next % size, 0xa1b2_c3d4).unwrap();
            assert!(queue.needs_interrupt(&mem).unwrap());
            let at = 8 + 4 + 8 * usize::from(next % size);
            expected[10..12].copy_from_slice(&next.wrapping_add(1).to_le_bytes());
            expected[at..at + 4].copy_from_slice(&u32::from(next % size).to_le_bytes());
            expected[at + 4..at + 8].copy_from_slice(&0xa1b2_c3d4_u32.to_le_bytes());
            let mut found = vec![0; 8 + len];
            mem.read_slice(&mut found, around).unwrap();
            assert_eq!(found, expected, "{next} of {size}");
        }
    }
}

/// Whether to interrupt depends on the distances between three positions only. All of them, for steps of up to a queue of 256.
#[test]
fn every_distance_to_the_event_is_decided_as_the_specification_says() {
    for old in [0, 0xfff0] {
        for event in 0..=u16::MAX {
            // virtio 1.2 §2.7.7.2: the event is one of the positions that the steps pass.
            let until = event.wrapping_sub(old);
            for steps in 1..=256_u16 {
                assert_eq!(crossed(event, old, old.wrapping_add(steps)), until < steps);
            }
        }
    }
}
