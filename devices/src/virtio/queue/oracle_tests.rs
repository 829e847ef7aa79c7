//! The same rings given to rust-vmm's `virtio-queue`: both must see the same chains and decide the same way.

use proptest::prelude::*;
use virtio_queue::QueueT;
use vm_memory::GuestAddress;

use super::driver::{Desc, Driver, INDIRECT, NEXT, WRITE};
use super::*;
use crate::testing::memory;

const SIZE: u16 = 16;
const TABLE: u64 = 0x8000;

fn oracle(driver: &Driver, event_index: bool) -> virtio_queue::Queue {
    let mut queue = virtio_queue::Queue::new(SIZE).unwrap();
    queue.try_set_desc_table_address(GuestAddress(driver.table)).unwrap();
    queue.try_set_avail_ring_address(GuestAddress(driver.avail)).unwrap();
    queue.try_set_used_ring_address(GuestAddress(driver.used)).unwrap();
    queue.set_event_idx(event_index);
    queue.set_ready(true);
    queue
}

/// The buffers that the oracle sees, as (address, length, writable); it yields empty ones too.
fn oracle_pop(queue: &mut virtio_queue::Queue, mem: &GuestMemory) -> Vec<(u64, u32, bool)> {
    let chain = queue.pop_descriptor_chain(mem).expect("a chain is available");
    let buffers = chain.map(|desc| (desc.addr().0, desc.len(), desc.is_write_only()));
    buffers.filter(|&(_, len, _)| len != 0).collect()
}

fn flatten(chain: &Chain) -> Vec<(u64, u32, bool)> {
    let part = |buffers: &[Buffer], writable| {
        buffers.iter().map(|buffer| (buffer.addr.0, buffer.len, writable)).collect::<Vec<_>>()
    };
    [part(&chain.readable, false), part(&chain.writable, true)].concat()
}

/// Buffers of a well-formed chain: readable ones first; the split between direct and indirect descriptors.
fn well_formed() -> impl Strategy<Value = (Vec<(u64, u32)>, usize, Option<usize>)> {
    prop::collection::vec((0_u64..0xf000, 0_u32..0x1000), 1..=usize::from(SIZE)).prop_flat_map(
        |all| {
            let count = all.len();
            (Just(all), 0..=count, prop::option::of(0..count))
        },
    )
}

/// Any descriptor, mostly one that leads somewhere.
fn any_desc() -> impl Strategy<Value = Desc> {
    let addr = prop_oneof![8 => 0_u64..0x10000, 4 => Just(TABLE), 1 => any::<u64>()];
    let len =
        prop_oneof![4 => 0_u32..0x100, 4 => (1_u32..20).prop_map(|n| 16 * n), 1 => any::<u32>()];
    let flags = prop_oneof![8 => 0_u16..4, 2 => 0_u16..8];
    let next = prop_oneof![16 => 0..SIZE, 1 => any::<u16>()];
    (addr, len, flags, next).prop_map(|(addr, len, flags, next)| Desc { addr, len, flags, next })
}

proptest! {
    #[test]
    fn well_formed_chains_are_seen_alike(chains in prop::collection::vec(well_formed(), 1..8)) {
        let mem = memory(0x10000);
        let mut driver = Driver::new(&mem, 0, SIZE);
        let (mut ours, mut theirs) = (driver.device(), oracle(&driver, false));
        for (buffers, readable, indirect_from) in chains {
            let total = buffers.len();
            let from = indirect_from.unwrap_or(total);
            for (index, &(addr, len)) in buffers.iter().enumerate() {
                let last = index + 1 == total;
                let flags = if index < readable { 0 } else { WRITE } | if last { 0 } else { NEXT };
                let (table, index) = if index < from { (driver.table, index) } else { (TABLE, index - from) };
                Desc { addr, len, flags, next: index as u16 + 1 }.write(&mem, table, index as u16);
            }
            if from < total && from < usize::from(SIZE) {
                let len = 16 * (total - from) as u32;
                driver.describe(from as u16, Desc { addr: TABLE, len, flags: INDIRECT, next: 0 });
            }
            driver.offer(0);
            let chain = ours.pop(&mem).unwrap().unwrap();
            prop_assert_eq!(flatten(&chain), oracle_pop(&mut theirs, &mem));
            ours.push(&mem, chain.head, 7).unwrap();
            prop_assert_eq!(driver.take_used(), Some((0, 7)));
        }
    }

    /// Where a ring is damaged the oracle ends a chain early; ours refuses it. What ours accepts, both see alike.
    #[test]
    fn damaged_chains_are_seen_alike_or_refused(
        direct in prop::collection::vec(any_desc(), usize::from(SIZE)),
        indirect in prop::collection::vec(any_desc(), usize::from(SIZE)),
        heads in prop::collection::vec(0..SIZE, 1..16),
    ) {
        let mem = memory(0x10000);
        let mut driver = Driver::new(&mem, 0, SIZE);
        (0..).zip(&direct).for_each(|(index, desc)| driver.describe(index, *desc));
        (0..).zip(&indirect).for_each(|(index, desc)| desc.write(&mem, TABLE, index));
        let (mut ours, mut theirs) = (driver.device(), oracle(&driver, false));
        for head in heads {
            driver.offer(head);
            let expected = oracle_pop(&mut theirs, &mem);
            match ours.pop(&mem) {
                Ok(chain) => prop_assert_eq!(flatten(&chain.unwrap()), expected),
                // Skip it in ours as the oracle did.
                Err(_) => ours.state.next_avail = ours.state.next_avail.wrapping_add(1),
            }
        }
    }

    #[test]
    fn notifications_are_decided_alike(
        steps in prop::collection::vec((0_u16..4, any::<bool>(), 0_u16..8), 1..64),
        start: u16,
    ) {
        let mem = memory(0x10000);
        let mut driver = Driver::new(&mem, 0, SIZE);
        let (mut ours, mut theirs) = (driver.device(), oracle(&driver, true));
        ours.set_event_index(true);
        ours.state.next_used = start;
        ours.state.signalled_used = start;
        ours.state.next_avail = start;
        ours.seen = start;
        driver.next_avail = start;
        theirs.set_next_used(start);
        theirs.set_next_avail(start);
        driver.store(driver.avail + 2, start);
        for (chains, pop, ahead) in steps {
            let chains = chains.min(driver.size - driver.next_avail.wrapping_sub(ours.state.next_avail));
            (0..chains).for_each(|_| driver.offer_chain(&[(0x5000, 1, true)]));
            if pop && ours.pop(&mem).unwrap().is_some() {
                oracle_pop(&mut theirs, &mem);
                ours.push(&mem, 0, 0).unwrap();
                theirs.add_used(&mem, 0, 0).unwrap();
            }
            let more = ours.enable_notification(&mem).unwrap();
            let event = driver.avail_event();
            prop_assert_eq!(more, theirs.enable_notification(&mem).unwrap());
            prop_assert_eq!(event, driver.avail_event());
            driver.set_used_event(ours.state.next_used.wrapping_sub(4).wrapping_add(ahead));
            prop_assert_eq!(ours.needs_interrupt(&mem).unwrap(), theirs.needs_notification(&mem).unwrap());
        }
    }
}
