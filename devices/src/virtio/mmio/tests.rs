//! The handshake, step by step, and what breaks it.

mod properties;
mod register_writes;
mod running;
mod snapshots;
mod turns;

use serde::{Deserialize, Serialize};

use super::registers::*;
use super::status::*;
use super::*;
use crate::testing::{Counter, memory};
use crate::virtio::queue::driver::Driver;
use crate::virtio::{ImmediateDevice, read_config_bytes};
use crate::{Outcome, Registers};

const FEATURE: u64 = 1 << 3;
const AGREED: u32 = ACKNOWLEDGE | DRIVER | FEATURES_OK;
const RUNNING: u32 = AGREED | DRIVER_OK;

/// A device that fills each chain's first writable byte with how many chains it has seen.
#[derive(Default)]
struct Tally {
    state: TallyState,
    /// What it was told.
    log: Vec<&'static str>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct TallyState {
    seen: u8,
    features: u64,
    config: [u8; 8],
}

impl Device for Tally {
    type State = TallyState;

    fn reset(&mut self) {
        self.log.push("reset");
        self.state = TallyState { config: self.state.config, ..TallyState::default() };
    }

    fn save(&self) -> TallyState {
        self.state.clone()
    }

    fn restore(&mut self, state: &TallyState) -> Result<(), RestoreError> {
        self.state = state.clone();
        Ok(())
    }
}

impl VirtioDevice for Tally {
    fn device_id(&self) -> u32 {
        42
    }

    fn queue_max_sizes(&self) -> &[u16] {
        &[8, 4]
    }

    fn features(&self) -> u64 {
        FEATURE
    }

    fn read_config(&self, offset: u64, data: &mut [u8]) {
        read_config_bytes(&self.state.config, offset, data);
    }

    fn activate(&mut self, features: u64, _queues: &[Queue]) {
        self.log.push("activate");
        self.state.features = features;
    }
}

impl ImmediateDevice for Tally {
    fn process(
        &mut self,
        index: usize,
        queues: &mut [Queue],
        mem: &GuestMemory,
    ) -> Result<(), QueueError> {
        self.log.push("process");
        queues[index].for_each_chain(mem, |chain| {
            self.state.seen = self.state.seen.wrapping_add(1);
            chain.write_at(mem, 0, &[self.state.seen])?;
            Ok(1)
        })
    }
}

/// A transport with 64 KiB of guest memory; queue 0 at 0, queue 1 at 0x4000, and so on.
struct Machine<D: VirtioDevice = Tally> {
    mmio: Mmio<D>,
    mem: GuestMemory,
    irq: Counter,
    bell: Counter,
}

impl Machine {
    fn new() -> Self {
        Self::with(Tally::default())
    }

    /// A machine whose driver took the whole handshake, with one queue of 4.
    fn running(features: u64) -> (Self, Driver) {
        let mut machine = Self::new();
        let driver = machine.start(features, 1).remove(0);
        assert_eq!(machine.read(STATUS), RUNNING);
        (machine, driver)
    }
}

impl<D: VirtioDevice> Machine<D> {
    fn with(device: D) -> Self {
        let (mem, irq, bell) = (memory(0x10000), Counter::default(), Counter::default());
        let mmio = Mmio::new(device, mem.clone(), Box::new(irq.clone()), Box::new(bell.clone()));
        Self { mmio, mem, irq, bell }
    }

    /// Takes the whole handshake, with so many queues of 4.
    fn start(&mut self, features: u64, queues: u32) -> Vec<Driver> {
        self.negotiate(features);
        let drivers = (0..queues).map(|index| self.set_up_queue(index)).collect();
        self.write(STATUS, RUNNING);
        drivers
    }

    fn read(&mut self, offset: u64) -> u32 {
        let mut data = [0xaa; 4];
        self.mmio.read(offset, &mut data);
        u32::from_le_bytes(data)
    }

    fn write(&mut self, offset: u64, value: u32) {
        assert_eq!(self.mmio.write(offset, &value.to_le_bytes()), Outcome::Continue);
    }

    fn negotiate(&mut self, features: u64) {
        self.write(STATUS, ACKNOWLEDGE);
        self.write(STATUS, ACKNOWLEDGE | DRIVER);
        for half in 0..2 {
            self.write(DRIVER_FEATURES_SEL, half);
            self.write(DRIVER_FEATURES, (features >> (32 * half)) as u32);
        }
        self.write(STATUS, AGREED);
    }

    fn set_up_queue(&mut self, index: u32) -> Driver {
        let driver = Driver::new(&self.mem, u64::from(index) * 0x4000, 4);
        self.write(QUEUE_SEL, index);
        self.write(QUEUE_NUM, 4);
        self.write(QUEUE_DESC_LOW, driver.table as u32);
        self.write(QUEUE_DRIVER_LOW, driver.avail as u32);
        self.write(QUEUE_DEVICE_LOW, driver.used as u32);
        self.write(QUEUE_READY, 1);
        driver
    }
}

#[test]
fn the_driver_finds_the_device() {
    let mut machine = Machine::new();
    let identity = [MAGIC_VALUE, VERSION, DEVICE_ID].map(|offset| machine.read(offset));
    assert_eq!(identity, [0x7472_6976, 2, 42]);
    assert_eq!(machine.read(DEVICE_FEATURES), (FEATURE | F_INDIRECT_DESC | F_EVENT_IDX) as u32);
    machine.write(DEVICE_FEATURES_SEL, 1);
    assert_eq!(machine.read(DEVICE_FEATURES), 1);
    machine.write(DEVICE_FEATURES_SEL, 2);
    assert_eq!(machine.read(DEVICE_FEATURES), 0);
    let mut sizes = [0, 1, 2, u32::MAX].map(|index| {
        machine.write(QUEUE_SEL, index);
        machine.read(QUEUE_NUM_MAX)
    });
    sizes.sort_unstable();
    assert_eq!(sizes, [0, 0, 4, 8]);
    assert_eq!(machine.read(SHM_LEN_LOW), u32::MAX);
}

#[test]
fn steps_come_in_order_and_one_at_a_time() {
    let mut machine = Machine::new();
    for wrong in [DRIVER, FEATURES_OK, DRIVER_OK, ACKNOWLEDGE | DRIVER, RUNNING, NEEDS_RESET, 0x100]
    {
        machine.write(STATUS, wrong);
        assert_eq!(machine.read(STATUS), 0, "{wrong:#x}");
    }
    machine.write(STATUS, ACKNOWLEDGE);
    machine.write(STATUS, DRIVER);
    assert_eq!(machine.read(STATUS), ACKNOWLEDGE, "a bit was cleared");
    machine.write(STATUS, ACKNOWLEDGE | FAILED);
    machine.write(STATUS, ACKNOWLEDGE | FAILED | DRIVER);
    assert_eq!(machine.read(STATUS), ACKNOWLEDGE | FAILED, "only a reset helps");
    machine.write(STATUS, 0);
    assert_eq!(machine.read(STATUS), 0);
}

#[test]
fn features_that_are_not_offered_are_refused() {
    for features in [0, FEATURE, F_VERSION_1 | 1, F_VERSION_1 | 1 << 63] {
        let mut machine = Machine::new();
        machine.negotiate(features);
        assert_eq!(machine.read(STATUS), ACKNOWLEDGE | DRIVER, "{features:#x}");
        // The driver may think again.
        machine.negotiate(F_VERSION_1);
        assert_eq!(machine.read(STATUS), AGREED);
        // But no more once it was agreed.
        machine.write(DRIVER_FEATURES, 0);
        assert_eq!(machine.mmio.save().negotiation.driver_features, F_VERSION_1);
    }
    let mut machine = Machine::new();
    machine.write(STATUS, ACKNOWLEDGE);
    machine.write(STATUS, ACKNOWLEDGE | DRIVER);
    machine.write(DRIVER_FEATURES_SEL, 2);
    machine.write(DRIVER_FEATURES, 1);
    machine.negotiate(F_VERSION_1);
    assert_eq!(machine.read(STATUS), ACKNOWLEDGE | DRIVER, "bit 64");
}

#[test]
fn queues_are_set_up_between_features_ok_and_driver_ok() {
    let mut machine = Machine::new();
    let untouched = machine.mmio.save().queues;
    machine.set_up_queue(0);
    assert_eq!(machine.mmio.save().queues, untouched);
    machine.negotiate(F_VERSION_1);
    machine.set_up_queue(0);
    let set_up = machine.mmio.save().queues;
    assert_eq!(machine.read(QUEUE_READY), 1);
    // In use, it keeps its place.
    machine.write(QUEUE_DESC_LOW, 0x1230);
    machine.write(QUEUE_NUM, 8);
    assert_eq!(machine.mmio.save().queues, set_up);
    machine.write(STATUS, RUNNING);
    machine.set_up_queue(1);
    assert_eq!(machine.mmio.save().queues, set_up);
    machine.write(QUEUE_SEL, 0);
    machine.write(QUEUE_READY, 0);
    assert_eq!(machine.read(QUEUE_READY), 0);
    machine.write(STATUS, 0);
    assert_eq!(machine.mmio.save().queues, untouched);
}

#[test]
fn a_bad_queue_address_or_size_needs_a_reset() {
    for (register, value) in
        [(QUEUE_DESC_LOW, 8), (QUEUE_DESC_HIGH, 1), (QUEUE_NUM, 3), (QUEUE_NUM, 0x10004)]
    {
        let mut machine = Machine::new();
        machine.negotiate(F_VERSION_1);
        machine.write(register, value);
        machine.write(QUEUE_READY, 1);
        assert_eq!(machine.read(STATUS), AGREED | NEEDS_RESET);
        assert_eq!(machine.irq.count(), 0, "no interrupt before DRIVER_OK");
        machine.write(STATUS, RUNNING | NEEDS_RESET);
        assert_eq!(machine.read(STATUS), AGREED | NEEDS_RESET);
    }
}

#[test]
fn forged_states_are_refused() {
    let (mut machine, _driver) = Machine::running(F_VERSION_1 | F_EVENT_IDX);
    let good = machine.mmio.save();
    let forge = |change: fn(&mut MmioState<TallyState>)| {
        let mut state = good.clone();
        change(&mut state);
        state
    };
    for bad in [
        forge(|state| state.negotiation.status = DRIVER_OK),
        forge(|state| state.negotiation.driver_features = 1 << 32 | 1),
        forge(|state| state.negotiation.unknown_features = true),
        forge(|state| state.negotiation.interrupt_status = 4),
        forge(|state| state.queues.truncate(1)),
        forge(|state| state.queues[0].max_size = 16),
        forge(|state| state.queues[0].size = 3),
        forge(|state| state.queues[0].device = 1 << 40),
        forge(|state| state.queues[0].event_index = false),
        forge(|state| state.queues[0].indirect = true),
        forge(|state| state.negotiation = Negotiation::default()),
    ] {
        assert!(machine.mmio.restore(&bad).is_err(), "{bad:?}");
        assert_eq!(machine.mmio.save(), good);
    }
    let error = machine.mmio.restore(&forge(|state| state.queues[0].size = 3)).unwrap_err();
    let message =
        "saved state of virtio-mmio: queue is queue size 3: must be a power of two up to 8";
    assert!(error.to_string().starts_with(message), "{error}");
}
