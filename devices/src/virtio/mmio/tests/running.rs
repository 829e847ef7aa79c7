//! Notifications, interrupts and errors, once the driver is ready.

use super::*;
use crate::virtio::queue::driver::{Desc, INDIRECT, WRITE};

#[test]
fn chains_are_served_and_interrupt() {
    let (mut machine, mut driver) = Machine::running(F_VERSION_1 | FEATURE);
    driver.offer_chain(&[(0x8000, 1, true)]);
    assert!(!machine.mmio.notify(0));
    assert_eq!(machine.mmio.device().state.features, F_VERSION_1 | FEATURE);
    assert_eq!(driver.take_used(), Some((0, 1)));
    assert_eq!((machine.irq.count(), machine.read(INTERRUPT_STATUS)), (1, INTERRUPT_USED));
    machine.write(INTERRUPT_ACK, INTERRUPT_USED);
    assert_eq!(machine.read(INTERRUPT_STATUS), 0);
    // A queue that is not ready, or not there.
    assert!(!machine.mmio.notify(1));
    assert!(!machine.mmio.notify(usize::MAX));
    assert_eq!(machine.irq.count(), 1);
}

#[test]
fn the_reason_of_an_interrupt_needs_no_lock() {
    let (mut machine, mut driver) = Machine::running(F_VERSION_1);
    let registers = machine.mmio.page().clone();
    driver.offer_chain(&[(0x8000, 1, true)]);
    assert!(!machine.mmio.notify(0));
    machine.mmio.config_changed();
    let mut data = [0; 4];
    registers.read(INTERRUPT_STATUS, &mut data);
    assert_eq!(data, (INTERRUPT_USED | INTERRUPT_CONFIG).to_le_bytes());
    assert!(registers.write(INTERRUPT_ACK, &INTERRUPT_USED.to_le_bytes()));
    assert_eq!(machine.read(INTERRUPT_STATUS), INTERRUPT_CONFIG);
    // Others are behind the lock, and so are accesses of another width, which mean nothing.
    assert!(!registers.write(STATUS, &[0; 4]) && !registers.write(INTERRUPT_ACK, &[0xff; 8]));
    let saved = machine.mmio.save();
    machine.write(STATUS, 0);
    assert_eq!(machine.read(INTERRUPT_STATUS), 0);
    machine.mmio.restore(&saved).unwrap();
    registers.read(INTERRUPT_STATUS, &mut data);
    assert_eq!(data, INTERRUPT_CONFIG.to_le_bytes());
}

#[test]
fn a_broken_rule_stops_the_device_until_reset() {
    let (mut machine, mut driver) = Machine::running(F_VERSION_1);
    driver.offer_chain(&[(u64::MAX - 8, 1, true)]);
    assert!(!machine.mmio.notify(0));
    assert_eq!(machine.read(STATUS), RUNNING | NEEDS_RESET);
    assert_eq!((machine.irq.count(), machine.read(INTERRUPT_STATUS)), (1, INTERRUPT_CONFIG));
    driver.offer_chain(&[(0x8000, 1, true)]);
    assert!(!machine.mmio.notify(0));
    assert_eq!(machine.mmio.with_device(|_, _, _| Ok(())), None);
    assert_eq!((driver.take_used(), machine.irq.count()), (None, 1));
    machine.write(STATUS, 0);
    machine.negotiate(F_VERSION_1);
    assert_eq!((machine.read(STATUS), machine.read(INTERRUPT_STATUS)), (AGREED, 0));
}

#[test]
fn a_broken_device_that_was_saved_goes_on_as_it_was() {
    let (mut machine, mut driver) = Machine::running(F_VERSION_1);
    driver.offer_chain(&[(u64::MAX - 8, 1, true)]);
    assert!(!machine.mmio.notify(0));
    machine.mmio.pause();
    let mut restored = Machine::new();
    restored.mmio.restore(&machine.mmio.save()).unwrap();
    for (mut machine, log) in [(machine, &["activate", "process", "reset"][..]), (restored, &[])] {
        machine.mmio.resume();
        machine.write(STATUS, 0);
        assert_eq!(machine.bell.count(), 0, "there is nothing to tell the device");
        assert_eq!(machine.mmio.with_device(|_, _, _| Ok(())), None);
        assert_eq!(machine.mmio.device().log, log);
    }
}

#[test]
fn a_changed_configuration_is_told() {
    let (mut machine, _driver) = Machine::running(F_VERSION_1);
    machine.mmio.config_changed();
    assert_eq!((machine.irq.count(), machine.read(INTERRUPT_STATUS)), (1, INTERRUPT_CONFIG));
    assert_eq!(machine.read(CONFIG_GENERATION), 1);
    machine.write(STATUS, 0);
    machine.mmio.config_changed();
    assert_eq!((machine.irq.count(), machine.read(CONFIG_GENERATION)), (1, 2));
}

#[test]
fn a_paused_device_keeps_notifications_for_later() {
    let (mut machine, mut driver) = Machine::running(F_VERSION_1);
    machine.mmio.pause();
    driver.offer_chain(&[(0x8000, 1, true)]);
    assert!(!machine.mmio.notify(0));
    assert_eq!(machine.mmio.with_device(|_, _, _| Ok(())), None);
    assert_eq!((driver.take_used(), machine.irq.count()), (None, 0));
    machine.mmio.resume();
    assert_eq!(
        (machine.bell.count(), driver.take_used()),
        (1, None),
        "whoever serves it is called"
    );
    assert!(!machine.mmio.notify(0));
    assert_eq!((driver.take_used(), machine.irq.count()), (Some((0, 1)), 1));
}

#[test]
fn only_a_driver_that_accepted_indirect_descriptors_may_use_them() {
    for accepted in [0, F_INDIRECT_DESC] {
        let (mut machine, mut driver) = Machine::running(F_VERSION_1 | accepted);
        driver.describe(0, Desc { addr: 0x9000, len: 16, flags: INDIRECT, next: 0 });
        Desc { addr: 0x8000, len: 1, flags: WRITE, next: 0 }.write(&machine.mem, 0x9000, 0);
        driver.offer(0);
        assert!(!machine.mmio.notify(0));
        let (status, used) =
            if accepted == 0 { (RUNNING | NEEDS_RESET, None) } else { (RUNNING, Some((0, 1))) };
        assert_eq!((machine.read(STATUS), driver.take_used()), (status, used));
    }
}

#[test]
fn event_index_holds_interrupts_back() {
    let (mut machine, mut driver) = Machine::running(F_VERSION_1 | F_EVENT_IDX);
    driver.set_used_event(1);
    for (round, interrupts) in [(0, 0), (1, 1), (2, 1)] {
        driver.offer_chain(&[(0x8000, 1, true)]);
        assert!(!machine.mmio.notify(0));
        assert_eq!((driver.avail_event(), machine.irq.count()), (round + 1, interrupts));
    }
}

#[test]
fn a_full_share_of_work_is_reported() {
    let (mut machine, mut driver) = Machine::running(F_VERSION_1);
    for _ in 0..4 {
        driver.offer_chain(&[(0x8000, 1, true)]);
    }
    assert!(machine.mmio.notify(0), "there may be more");
    assert!(!machine.mmio.notify(0));
    let exhaust = machine.mmio.with_device(|device, queues, mem| {
        (0..4).for_each(|_| driver.offer_chain(&[(0x8000, 1, true)]));
        device.process(0, queues, mem)
    });
    assert_eq!((exhaust, machine.mmio.has_backlog()), (Some(()), true));
}

#[test]
fn the_configuration_space_is_read_with_any_width_and_never_written() {
    let (mut machine, _driver) = Machine::running(F_VERSION_1);
    machine.mmio.device_mut().state.config = [1, 2, 3, 4, 5, 6, 7, 8];
    machine.mmio.write(CONFIG, &[9, 9, 9, 9]);
    let mut data = [0xaa; 8];
    machine.mmio.read(CONFIG + 1, &mut data);
    assert_eq!(data, [2, 3, 4, 5, 6, 7, 8, 0]);
}

#[test]
fn devices_show_their_registers_on_pages_of_their_own() {
    let pages = RegisterPages::new(2);
    assert_eq!((pages.len(), pages.address().align_offset(LEN as usize)), (2 * LEN as usize, 0));
    assert!(pages.page(2).is_none());
    let [first, second] = [0, 1].map(|index| pages.page(index).unwrap());
    let mut machine = Machine::new();
    machine.mmio = machine.mmio.on_page(second.clone());
    let shown = |page: &RegisterPage, offset| {
        let mut data = [0; 4];
        page.read(offset, &mut data);
        u32::from_le_bytes(data)
    };
    assert_eq!((shown(&second, MAGIC_VALUE), shown(&second, DEVICE_ID)), (MAGIC, 42));
    machine.negotiate(F_VERSION_1);
    assert_eq!(shown(&second, STATUS), AGREED);
    let generation = shown(&second, CONFIG_GENERATION);
    machine.mmio.device_mut().state.config = [7; 8];
    machine.mmio.config_changed();
    assert_eq!(shown(&second, CONFIG + 4), 0x0707_0707);
    assert_eq!(shown(&second, CONFIG_GENERATION), generation + 1);
    machine.write(STATUS, 0);
    assert_eq!(shown(&second, STATUS), 0);
    assert!((0..LEN).step_by(4).all(|offset| shown(&first, offset) == 0));
}
