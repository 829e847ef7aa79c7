//! What a driver may do, what it may not, and what hostile memory can't do.

use proptest::prelude::*;
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

use super::driver::{Desc, Driver, INDIRECT, NEXT, WRITE};
use super::*;
use crate::testing::memory;

const TABLE: u64 = 0x8000;

fn desc(addr: u64, len: u32, flags: u16, next: u16) -> Desc {
    Desc { addr, len, flags, next }
}

/// A queue of 4 whose chain at 0 is made of `direct`; `indirect` stands at `TABLE`.
fn pop_one(direct: &[Desc], indirect: &[Desc]) -> Result<Option<Chain>, QueueError> {
    let mem = memory(0x10000);
    let mut driver = Driver::new(&mem, 0, 4);
    (0..).zip(direct).for_each(|(index, desc)| driver.describe(index, *desc));
    (0..).zip(indirect).for_each(|(index, desc)| desc.write(&mem, TABLE, index));
    driver.offer(0);
    driver.device().pop(&mem)
}

#[test]
fn an_indirect_table_continues_the_direct_descriptors() {
    let direct = [desc(0x5000, 8, NEXT, 1), desc(TABLE, 48, INDIRECT | WRITE, 0)];
    let indirect = [desc(0x5100, 4, NEXT, 2), desc(0, 0, 0, 0), desc(0x6000, 2, WRITE, 0)];
    let chain = pop_one(&direct, &indirect).unwrap().unwrap();
    let buffer = |addr, len| Buffer { addr: GuestAddress(addr), len };
    assert_eq!(chain.readable, [buffer(0x5000, 8), buffer(0x5100, 4)]);
    assert_eq!(chain.writable, [buffer(0x6000, 2)]);
}

#[test]
fn an_indirect_table_that_was_not_agreed_on_is_not_followed() {
    let mem = memory(0x10000);
    let mut driver = Driver::new(&mem, 0, 4);
    let mut queue = driver.device();
    queue.set_indirect(false);
    driver.describe(0, desc(TABLE, 16, INDIRECT, 0));
    desc(0x5000, 1, 0, 0).write(&mem, TABLE, 0);
    driver.offer(0);
    assert!(matches!(queue.pop(&mem), Err(QueueError::IndirectNotAgreed { head: 0 })));
}

#[test]
fn empty_buffers_count_but_carry_nothing() {
    let chain = pop_one(&[desc(u64::MAX, 0, NEXT, 1), desc(0x5000, 1, WRITE, 0)], &[]);
    let chain = chain.unwrap().unwrap();
    assert_eq!((chain.readable_len(), chain.writable_len()), (0, 1));
}

#[test]
fn broken_chains_are_refused() {
    use QueueError as E;
    let refused = |direct: &[Desc], indirect: &[Desc]| pop_one(direct, indirect).unwrap_err();
    let table = desc(TABLE, 64, INDIRECT, 0);
    let outside = |addr, len| refused(&[desc(addr, len, 0, 0)], &[]);

    assert!(matches!(refused(&[desc(0, 1, NEXT, 0)], &[]), E::TooManyDescriptors { .. }));
    assert!(matches!(refused(&[desc(0, 1, NEXT, 4)], &[]), E::Next { next: 4, len: 4 }));
    assert!(matches!(refused(&[table], &[table]), E::Indirect { .. }));
    let with_next = desc(TABLE, 64, INDIRECT | NEXT, 1);
    assert!(matches!(refused(&[with_next], &[]), E::Indirect { .. }));
    assert!(matches!(refused(&[table], &[desc(0, 1, NEXT, 4)]), E::Next { next: 4, len: 4 }));
    assert!(matches!(refused(&[table], &[desc(0, 1, NEXT, 0)]), E::TooManyDescriptors { .. }));
    for len in [0, 8, 17] {
        let odd = desc(TABLE, len, INDIRECT, 0);
        assert!(matches!(refused(&[odd], &[]), E::IndirectLength { .. }), "{len}");
    }
    let nowhere = desc(u64::MAX - 15, 16, INDIRECT, 0);
    assert!(matches!(refused(&[nowhere], &[]), E::Memory(_)));
    let wrong_order = [desc(0, 1, NEXT | WRITE, 1), desc(0, 1, 0, 0)];
    assert!(matches!(refused(&wrong_order, &[]), E::Order { .. }));
    assert!(matches!(outside(0xffff, 2), E::Outside { .. }));
    assert!(matches!(outside(u64::MAX, u32::MAX), E::Outside { .. }));
}

#[test]
fn a_chain_of_more_than_2_to_32_bytes_is_refused() {
    // Only address space: nothing touches the pages.
    let mem = memory(1 << 32);
    let mut driver = Driver::new(&mem, 0, 4);
    driver.offer_chain(&[(0, u32::MAX, false), (0, 1, false)]);
    assert_eq!(driver.device().pop(&mem).unwrap().unwrap().readable_len(), 1 << 32);
    driver.offer_chain(&[(0, u32::MAX, false), (0, 2, true)]);
    driver.store(driver.avail + 2, 1);
    let error = driver.device().pop(&mem).unwrap_err();
    assert!(matches!(error, QueueError::TooManyBytes { .. }));
}

#[test]
fn broken_rings_are_refused() {
    let mem = memory(0x10000);
    let mut driver = Driver::new(&mem, 0, 4);
    driver.offer(4);
    let mut queue = driver.device();
    assert!(matches!(queue.pop(&mem), Err(QueueError::Head { head: 4, size: 4 })));
    // Which is looked at once for all that is there.
    driver.store(driver.avail + 2, 5);
    assert!(matches!(queue.pop(&mem), Err(QueueError::Head { head: 4, size: 4 })));
    let mut queue = driver.device();
    assert!(matches!(queue.pop(&mem), Err(QueueError::AvailableIndex { idx: 5, .. })));
    assert!(matches!(queue.push(&mem, 4, 0), Err(QueueError::Head { .. })));
}

#[test]
fn only_a_sound_set_up_makes_a_queue_ready() {
    let mem = memory(0x10000);
    for (area, address) in [
        (Area::Descriptors, 8),
        (Area::Driver, 1),
        (Area::Device, 2),
        (Area::Descriptors, 0x10000 - 16),
        (Area::Driver, 0x10000 - 12),
        (Area::Device, u64::MAX - 3),
    ] {
        let mut queue = Driver::new(&mem, 0, 4).device();
        queue.set_ready(false, &mem).unwrap();
        queue.set_address(area, address);
        assert!(queue.set_ready(true, &mem).is_err(), "{area:?} {address:#x}");
        assert!(matches!(queue.pop(&mem), Ok(None)));
    }
    let mut queue = Queue::new(8);
    assert!(
        queue.set_size(16).is_err() && queue.set_size(0).is_err() && queue.set_size(3).is_err()
    );
    assert!(Queue::from_state(QueueState { max_size: 3, ..queue.state().clone() }, &mem).is_err());
}

#[test]
fn without_event_index_the_flag_decides() {
    let mem = memory(0x10000);
    let driver = Driver::new(&mem, 0, 4);
    let mut queue = driver.device();
    assert!(!queue.needs_interrupt(&mem).unwrap(), "nothing used");
    queue.push(&mem, 0, 0).unwrap();
    assert!(queue.needs_interrupt(&mem).unwrap());
    assert!(!queue.needs_interrupt(&mem).unwrap(), "asked already");
    driver.store(driver.avail, 1);
    queue.push(&mem, 0, 0).unwrap();
    assert!(!queue.needs_interrupt(&mem).unwrap());
}

#[test]
fn with_event_index_the_position_decides() {
    let mem = memory(0x10000);
    let driver = Driver::new(&mem, 0, 4);
    let mut queue = driver.device();
    queue.set_event_index(true);
    driver.store(driver.avail, 1); // the flag means nothing now
    assert!(!queue.needs_interrupt(&mem).unwrap(), "nothing used");
    queue.push(&mem, 0, 0).unwrap();
    assert!(queue.needs_interrupt(&mem).unwrap(), "the first, with used_event 0");
    driver.set_used_event(2);
    queue.push(&mem, 0, 0).unwrap();
    assert!(!queue.needs_interrupt(&mem).unwrap(), "the second");
    queue.push(&mem, 0, 0).unwrap();
    assert!(queue.needs_interrupt(&mem).unwrap(), "the third, at index 2");
}

#[test]
fn a_chain_offered_behind_the_devices_back_is_noticed() {
    let mem = memory(0x10000);
    let mut driver = Driver::new(&mem, 0, 4);
    let mut queue = driver.device();
    queue.set_event_index(true);
    assert!(!queue.enable_notification(&mem).unwrap());
    driver.offer_chain(&[(0x5000, 1, true)]);
    assert!(queue.enable_notification(&mem).unwrap());
    assert!(queue.pop(&mem).unwrap().is_some());
    assert!(!queue.enable_notification(&mem).unwrap());
    assert_eq!(driver.avail_event(), 1);
}

#[test]
fn positions_wrap() {
    let mem = memory(0x10000);
    let mut driver = Driver::new(&mem, 0, 4);
    let mut queue = driver.device();
    queue.set_event_index(true);
    for round in 0..70_000_u32 {
        driver.set_used_event(round as u16);
        driver.offer_chain(&[(0x5000, 1, true)]);
        if round % 3 == 0 {
            queue.pop(&mem).unwrap().unwrap();
            queue.undo_pop();
        }
        queue.for_each_chain(&mem, |_| Ok(round)).unwrap();
        assert!(queue.needs_interrupt(&mem).unwrap());
        assert_eq!(driver.take_used(), Some((0, round)));
    }
}

#[test]
fn a_driver_that_never_stops_does_not_hold_the_device() {
    let mem = memory(0x10000);
    let mut driver = Driver::new(&mem, 0, 4);
    let mut queue = driver.device();
    let mut served = 0;
    driver.offer_chain(&[(0x5000, 1, true)]);
    queue.refill_budget();
    let endless = |_: &Chain| {
        served += 1;
        driver.offer_chain(&[(0x5000, 1, true)]);
        Ok(0)
    };
    queue.for_each_chain(&mem, endless).unwrap();
    assert_eq!(served, 4);
    assert!(queue.is_exhausted());
    queue.refill_budget();
    assert!(queue.pop(&mem).unwrap().is_some());
}

#[test]
fn large_chains_end_a_share_of_work_early() {
    let mem = memory(0x10000);
    let mut driver = Driver::new(&mem, 0, 256);
    let mut queue = driver.device();
    (0..256).for_each(|_| driver.offer_chain(&[(0, 0x10000, true); 100]));
    queue.refill_budget();
    let mut served = 0;
    let count = |_: &Chain| {
        served += 1;
        Ok(0)
    };
    queue.for_each_chain(&mem, count).unwrap();
    assert_eq!(served, 3, "16 MiB in chains of 6.25 MiB");
}

#[test]
fn bytes_go_across_buffers_and_regions() {
    let ranges = [(GuestAddress(0), 0x10000), (GuestAddress(0x10000), 0x1000)];
    let mem = GuestMemory::from_ranges(&ranges).unwrap();
    let mut driver = Driver::new(&mem, 0, 4);
    driver.offer_chain(&[(0xfffe, 4, false), (0x5000, 3, false), (0xffff, 2, true)]);
    mem.write_slice(b"abcd", GuestAddress(0xfffe)).unwrap();
    mem.write_slice(b"efg", GuestAddress(0x5000)).unwrap();
    let chain = driver.device().pop(&mem).unwrap().unwrap();
    let mut data = [0; 5];
    chain.read_at(&mem, 1, &mut data).unwrap();
    assert_eq!(&data, b"bcdef");
    assert_eq!(chain.readable_slices(&mem, 0, 7).unwrap().len(), 3);
    chain.write_at(&mem, 0, b"xy").unwrap();
    chain.read_at(&mem, 0, &mut data).unwrap();
    assert_eq!(&data, b"axyde");
    assert!(matches!(chain.read_at(&mem, 3, &mut data), Err(QueueError::PastEnd { .. })));
    assert!(chain.writable_slices(&mem, u64::MAX, 2).is_err());
}

proptest! {
    #[test]
    fn crossed_means_that_a_step_lands_on_the_event(event: u16, old: u16, steps in 1_u16..300) {
        let landed = (0..steps).any(|step| old.wrapping_add(step) == event);
        prop_assert_eq!(crossed(event, old, old.wrapping_add(steps)), landed);
    }

    /// Any memory, any sound set-up: no panic, and what is popped keeps the rules.
    #[test]
    fn hostile_memory(
        words in prop::collection::vec(prop_oneof![any::<u16>(), 0_u16..16], 0x800),
        areas in prop::array::uniform3(0_u64..0x1000),
        size_log in 0_u32..6,
        next_avail: u16,
        next_used: u16,
        event_index: bool,
        indirect: bool,
    ) {
        let mem = memory(0x1000);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        mem.write_slice(&bytes, GuestAddress(0)).unwrap();
        let size = 1 << size_log;
        let mut state = Queue::new(64).state().clone();
        state = QueueState { size, ready: true, next_avail, next_used, event_index, indirect, ..state };
        [state.descriptors, state.driver, state.device] =
            [areas[0] & !15, areas[1] & !1, areas[2] & !3];
        let Ok(mut queue) = Queue::from_state(state, &mem) else { return Ok(()) };
        queue.refill_budget();
        for _ in 0..2 * size {
            let Ok(Some(chain)) = queue.pop(&mem) else { break };
            prop_assert!(chain.head < size);
            prop_assert!(chain.readable.len() + chain.writable.len() <= size.into());
            for buffer in chain.readable.iter().chain(&chain.writable) {
                prop_assert!(buffer.len != 0 && mem.check_range(buffer.addr, buffer.len as usize));
            }
            prop_assert!(queue.push(&mem, chain.head, 1).is_ok());
            let _ = queue.needs_interrupt(&mem);
            let _ = queue.enable_notification(&mem);
        }
    }
}
