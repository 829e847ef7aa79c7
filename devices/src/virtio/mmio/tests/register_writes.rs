//! A write to a register may come from a vCPU's thread: it calls no device code, but for the bell.

use super::*;

#[test]
fn a_notification_through_the_register_only_rings() {
    let (mut machine, mut driver) = Machine::running(F_VERSION_1);
    driver.offer_chain(&[(0x8000, 1, true)]);
    machine.write(QUEUE_NOTIFY, 0);
    assert_eq!((machine.mmio.device().log.len(), driver.take_used()), (0, None));
    assert_eq!((machine.bell.count(), machine.irq.count()), (1, 0));
    // Whoever hears the bell need not know which queue it was.
    machine.write(QUEUE_NOTIFY, 1);
    assert!(!machine.mmio.notify(0));
    assert_eq!(machine.mmio.device().log, ["activate", "process", "process"]);
    assert_eq!(driver.take_used(), Some((0, 1)));
}

#[test]
fn a_queue_that_is_not_there_is_no_way_to_a_backlog() {
    let (mut machine, mut driver) = Machine::running(F_VERSION_1);
    (0..4).for_each(|_| driver.offer_chain(&[(0x8000, 1, true)]));
    assert!(machine.mmio.notify(0), "a backlog");
    (0..4).for_each(|_| assert!(driver.take_used().is_some()));
    driver.offer_chain(&[(0x8000, 1, true)]);
    let (calls, interrupts) = (machine.mmio.device().log.len(), machine.irq.count());
    for queue in [255, 2, u32::MAX] {
        machine.write(QUEUE_NOTIFY, queue);
    }
    assert_eq!((machine.mmio.device().log.len(), machine.irq.count()), (calls, interrupts));
    assert_eq!((machine.bell.count(), driver.take_used()), (0, None));
}

#[test]
fn a_driver_that_gives_up_leaves_no_backlog() {
    let (mut machine, mut driver) = Machine::running(F_VERSION_1);
    driver.offer_chain(&[(0x8000, 1, true)]);
    machine.write(QUEUE_NOTIFY, 0);
    machine.write(STATUS, RUNNING | FAILED);
    assert!(!machine.mmio.notify(0), "else the loop would come back for ever");
    assert_eq!(driver.take_used(), None);
}

#[test]
fn a_driver_that_gives_up_or_breaks_the_rules_leaves_a_device_that_is_reset() {
    for gives_up in [true, false] {
        let (mut machine, mut driver) = Machine::running(F_VERSION_1 | FEATURE);
        assert!(!machine.mmio.notify(0));
        assert_eq!(machine.mmio.device().log, ["activate", "process"]);
        if gives_up {
            machine.write(STATUS, RUNNING | FAILED);
            // Not by a vCPU's thread.
            assert_eq!((machine.mmio.device().log.len(), machine.bell.count()), (2, 1));
        } else {
            driver.offer(9);
            assert!(!machine.mmio.notify(0));
        }
        // An event of the host's, say.
        assert_eq!(machine.mmio.device_mut().state.features, 0);
        assert!(!machine.mmio.notify(0));
        machine.write(STATUS, 0);
        machine.start(F_VERSION_1 | FEATURE, 1);
        assert_eq!(
            machine.mmio.device_mut().log.split_off(2 + usize::from(!gives_up)),
            ["reset", "activate"]
        );
    }
}

#[test]
fn a_reset_shows_at_once_and_reaches_the_device_before_all_else() {
    let (mut machine, mut driver) = Machine::running(F_VERSION_1);
    driver.offer_chain(&[(0x8000, 1, true)]);
    assert!(!machine.mmio.notify(0));
    machine.mmio.device_mut().log.clear();
    driver.offer_chain(&[(0x8000, 1, true)]);
    machine.write(QUEUE_NOTIFY, 0);
    machine.write(STATUS, 0);
    // All that the driver can see is reset, by no call of the device's.
    assert_eq!((machine.read(STATUS), machine.read(QUEUE_READY)), (0, 0));
    assert_eq!((machine.mmio.device().log.len(), machine.bell.count()), (0, 2));
    // It goes on at once, as Linux does.
    let mut driver = machine.start(F_VERSION_1 | FEATURE, 1).remove(0);
    driver.next_avail = driver.load(driver.avail + 2);
    assert!(machine.mmio.device().log.is_empty());
    assert!(!machine.mmio.has_backlog(), "the notification was for the queue of before");
    assert!(!machine.mmio.notify(0));
    assert_eq!(machine.mmio.device().log, ["reset", "activate", "process"]);
    assert_eq!(machine.mmio.device().state.features, F_VERSION_1 | FEATURE);
}

#[test]
fn a_device_that_was_never_active_needs_no_reset() {
    let mut machine = Machine::new();
    machine.write(STATUS, 0);
    machine.start(F_VERSION_1, 1);
    machine.write(STATUS, 0);
    assert!(!machine.mmio.notify(0));
    assert_eq!((machine.mmio.device().log.len(), machine.bell.count()), (0, 0));
}

#[test]
fn a_paused_device_has_heard_of_all_that_was_written_before() {
    let (mut machine, _driver) = Machine::running(F_VERSION_1 | FEATURE);
    machine.mmio.pause();
    assert_eq!(machine.mmio.save().device.features, F_VERSION_1 | FEATURE);
    machine.mmio.resume();
    machine.write(STATUS, 0);
    machine.mmio.pause();
    assert_eq!(machine.mmio.save().device, TallyState::default());
}

/// Found by the fuzz target `mmio`: the twin took a driver's failure for its being at work, and rang once more.
#[test]
fn a_saved_device_whose_driver_gave_up_needs_no_second_reset() {
    let (mut machine, _driver) = Machine::running(F_VERSION_1);
    machine.write(STATUS, RUNNING | FAILED);
    machine.mmio.pause();
    let mut twin = Machine::new();
    twin.mmio.restore(&machine.mmio.save()).unwrap();
    for machine in [&mut machine, &mut twin] {
        let rung = machine.bell.count();
        machine.mmio.resume();
        machine.write(STATUS, 0);
        assert_eq!(machine.bell.count(), rung);
    }
}

#[test]
fn only_aligned_words_reach_the_registers() {
    let mut machine = Machine::new();
    for len in [1, 2, 8] {
        let mut data = vec![0xaa; len];
        // Whatever a driver reads is on the page.
        machine.mmio.read(MAGIC_VALUE, &mut data);
        assert_eq!(data, b"virt\x02\0\0\0"[..len]);
        machine.mmio.write(STATUS, &vec![1; len]);
        assert_eq!(machine.read(STATUS), 0);
    }
}
