//! A virtio-mmio driver, as small as can be (virtio 1.2 §4.2).

mod block;
mod net;
mod queue;
mod rng;
mod vsock;

use super::machine::interrupts;
use super::registers::Registers;
use super::report::{Fault, Report};
use queue::Queue;

/// Registers (virtio 1.2 §4.2.2).
const MAGIC: u64 = 0x000;
const VERSION: u64 = 0x004;
const DEVICE_ID: u64 = 0x008;
const DEVICE_FEATURES: u64 = 0x010;
const DEVICE_FEATURES_SELECT: u64 = 0x014;
const DRIVER_FEATURES: u64 = 0x020;
const DRIVER_FEATURES_SELECT: u64 = 0x024;
const QUEUE_SELECT: u64 = 0x030;
const QUEUE_SIZE_MAX: u64 = 0x034;
const QUEUE_SIZE: u64 = 0x038;
const QUEUE_READY: u64 = 0x044;
const QUEUE_NOTIFY: u64 = 0x050;
const INTERRUPT_STATUS: u64 = 0x060;
const INTERRUPT_ACK: u64 = 0x064;
const STATUS: u64 = 0x070;
const QUEUE_DESCRIPTORS: u64 = 0x080;
const QUEUE_DRIVER: u64 = 0x090;
const QUEUE_DEVICE: u64 = 0x0a0;
const CONFIG: u64 = 0x100;

const MAGIC_VALUE: u32 = u32::from_le_bytes(*b"virt");
/// Device status bits (virtio 1.2 §2.1).
const ACKNOWLEDGE: u32 = 1;
const DRIVER: u32 = 2;
const DRIVER_OK: u32 = 4;
const FEATURES_OK: u32 = 8;
/// VIRTIO_F_VERSION_1, in the upper word.
const VERSION_1_HIGH: u32 = 1;

/// A device that may be there.
pub struct Device {
    registers: Registers,
    /// Its interrupt.
    line: usize,
}

/// Finds the devices in these slots and checks each by what it is for.
pub fn check_all(report: &mut Report, slots: impl Iterator<Item = Device>) {
    let mut found = 0;
    for device in slots {
        if device.read(MAGIC) != MAGIC_VALUE || device.read(VERSION) != 2 {
            continue;
        }
        match device.read(DEVICE_ID) {
            0 => continue,
            1 => _ = report.check("net", |line| net::check(line, &device)),
            2 => block::check(report, &device),
            4 => _ = report.check("rng", |line| rng::check(line, &device)),
            19 => vsock::check(report, &device),
            _ => report.skip("virtio", "a device of a kind that this guest does not know"),
        }
        found += 1;
        // Nothing may come from it any more.
        device.write(STATUS, 0);
    }
    if found == 0 {
        report.skip("virtio", "no device in any slot");
    }
}

impl Device {
    /// A slot: its registers and its interrupt.
    pub fn new(registers: Registers, line: usize) -> Self {
        Self { registers, line }
    }

    fn read(&self, register: u64) -> u32 {
        self.registers.read(register)
    }

    fn write(&self, register: u64, value: u32) {
        self.registers.write(register, value)
    }

    /// A field of the device's configuration.
    fn config(&self, offset: u64) -> u64 {
        u64::from(self.read(CONFIG + offset)) | u64::from(self.read(CONFIG + offset + 4)) << 32
    }

    /// Negotiation up to FEATURES_OK (virtio 1.2 §3.1.1); gives those of the `wanted` features that the device has.
    fn negotiate(&self, wanted: u32) -> Result<u32, Fault> {
        self.write(STATUS, 0);
        if self.read(STATUS) != 0 {
            return Err("the device does not reset");
        }
        self.write(STATUS, ACKNOWLEDGE);
        self.write(STATUS, ACKNOWLEDGE | DRIVER);
        self.write(DEVICE_FEATURES_SELECT, 1);
        if self.read(DEVICE_FEATURES) & VERSION_1_HIGH == 0 {
            return Err("a legacy device");
        }
        self.write(DEVICE_FEATURES_SELECT, 0);
        let features = self.read(DEVICE_FEATURES) & wanted;
        self.write(DRIVER_FEATURES_SELECT, 0);
        self.write(DRIVER_FEATURES, features);
        self.write(DRIVER_FEATURES_SELECT, 1);
        self.write(DRIVER_FEATURES, VERSION_1_HIGH);
        self.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
        if self.read(STATUS) & FEATURES_OK == 0 {
            return Err("the device refuses its own features");
        }
        Ok(features)
    }

    /// Gives the device a queue of its own page.
    fn queue(&self, index: u32) -> Result<Queue, Fault> {
        let queue = Queue::new(index, self.line).ok_or("out of pages")?;
        self.write(QUEUE_SELECT, index);
        if self.read(QUEUE_READY) != 0 {
            return Err("a queue is ready before it was set up");
        }
        if self.read(QUEUE_SIZE_MAX) < u32::from(queue::SIZE) {
            return Err("a queue is too small");
        }
        self.write(QUEUE_SIZE, queue::SIZE.into());
        for (register, address) in [
            (QUEUE_DESCRIPTORS, queue.descriptors()),
            (QUEUE_DRIVER, queue.available()),
            (QUEUE_DEVICE, queue.used()),
        ] {
            self.write(register, address as u32);
            self.write(register + 4, (address >> 32) as u32);
        }
        self.write(QUEUE_READY, 1);
        Ok(queue)
    }

    fn start(&self) {
        self.write(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    }

    fn notify(&self, queue: &Queue) {
        self.write(QUEUE_NOTIFY, queue.index);
    }

    /// Waits for the used buffer of a queue, and for the interrupt. Gives the buffer's length.
    fn wait(&self, queue: &mut Queue) -> Result<u32, Fault> {
        let mut used = None;
        interrupts::wait_until(|| {
            used = used.or_else(|| queue.take_used());
            used.is_some()
        });
        let used = used.ok_or("the device did not answer in time")?;
        // The buffer may be seen before the interrupt comes.
        if !interrupts::wait_until(|| queue.has_interrupted()) {
            return Err("the device did not interrupt");
        }
        let cause = self.read(INTERRUPT_STATUS);
        self.write(INTERRUPT_ACK, cause);
        Ok(used)
    }
}
