//! Reads and writes of the registers.

use super::{Mmio, registers::*, status};
use crate::virtio::VirtioDevice;
use crate::virtio::queue::{Area, Queue, QueueError};
use crate::{GuestMemory, Outcome, Registers};

impl<D: VirtioDevice> Registers for Mmio<D> {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        self.page.read(offset, data);
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Outcome {
        // No device has a configuration space that can be written, and all registers are below it.
        if let Ok(data) = <[u8; 4]>::try_from(data) {
            self.write_register(offset, u32::from_le_bytes(data));
            self.show();
        }
        Outcome::Continue
    }
}

/// What can be read, but for INTERRUPT_STATUS.
const READABLE: [u64; 13] = [
    MAGIC_VALUE,
    VERSION,
    DEVICE_ID,
    VENDOR_ID,
    DEVICE_FEATURES,
    QUEUE_NUM_MAX,
    QUEUE_READY,
    STATUS,
    SHM_LEN_LOW,
    SHM_LEN_HIGH,
    SHM_BASE_LOW,
    SHM_BASE_HIGH,
    CONFIG_GENERATION,
];

impl<D: VirtioDevice> Mmio<D> {
    /// After each change of what the driver may read.
    pub(super) fn show(&self) {
        READABLE.into_iter().for_each(|offset| self.page.show(offset, self.register(offset)));
        self.page.show_config(|config| self.device.read_config(0, config));
    }

    fn register(&self, offset: u64) -> u32 {
        let negotiation = &self.negotiation;
        let queue = self.queues.get(negotiation.queue_select as usize);
        match offset {
            MAGIC_VALUE => MAGIC,
            VERSION => VERSION_2,
            DEVICE_ID => self.device.device_id(),
            VENDOR_ID => VENDOR,
            DEVICE_FEATURES => match negotiation.device_features_select {
                0 => self.offered_features() as u32,
                1 => (self.offered_features() >> 32) as u32,
                _ => 0,
            },
            QUEUE_NUM_MAX => queue.map_or(0, |queue| queue.state().max_size.into()),
            // A driver that stops a queue reads this to know that its chains are its own again (virtio 1.2 §4.2.2).
            QUEUE_READY => {
                queue.is_some_and(|queue| queue.is_ready() || queue.is_under_way()).into()
            }
            STATUS => negotiation.status,
            SHM_LEN_LOW..=SHM_BASE_HIGH => u32::MAX,
            CONFIG_GENERATION => negotiation.config_generation,
            _ => 0,
        }
    }

    fn write_register(&mut self, offset: u64, value: u32) {
        match offset {
            DEVICE_FEATURES_SEL => self.negotiation.device_features_select = value,
            DRIVER_FEATURES => self.write_features(value),
            DRIVER_FEATURES_SEL => self.negotiation.driver_features_select = value,
            QUEUE_SEL => self.negotiation.queue_select = value,
            QUEUE_NOTIFY => self.notify_by_register(value),
            INTERRUPT_ACK => self.page.acknowledge(value),
            STATUS => self.write_status(value),
            QUEUE_READY if value == 0 => {
                self.set_up_queue(status::FEATURES_OK, |queue, mem| queue.set_ready(false, mem));
            }
            QUEUE_READY => self.set_up_idle_queue(|queue, mem| queue.set_ready(true, mem)),
            QUEUE_NUM => self.set_up_idle_queue(|queue, _| {
                // A size that does not fit into 16 bits is above every maximum.
                queue.set_size(u16::try_from(value).unwrap_or(u16::MAX))
            }),
            QUEUE_DESC_LOW => self.write_address(Area::Descriptors, 0, value),
            QUEUE_DESC_HIGH => self.write_address(Area::Descriptors, 32, value),
            QUEUE_DRIVER_LOW => self.write_address(Area::Driver, 0, value),
            QUEUE_DRIVER_HIGH => self.write_address(Area::Driver, 32, value),
            QUEUE_DEVICE_LOW => self.write_address(Area::Device, 0, value),
            QUEUE_DEVICE_HIGH => self.write_address(Area::Device, 32, value),
            _ => {}
        }
    }

    /// KVM takes the notification of a queue that exists to its descriptor, so that this is one which it could not
    /// decode, or which has a number of the driver's own.
    fn notify_by_register(&mut self, queue: u32) {
        if self.mark(queue as usize) {
            self.bell.ring();
        }
    }

    /// Features can be written after DRIVER and until FEATURES_OK (virtio 1.2 §3.1.1).
    fn write_features(&mut self, value: u32) {
        let negotiation = &mut self.negotiation;
        let bits = status::DRIVER | status::FEATURES_OK | status::NEEDS_RESET | status::FAILED;
        if negotiation.status & bits != status::DRIVER {
            return;
        }
        match negotiation.driver_features_select {
            0 => set_half(&mut negotiation.driver_features, 0, value),
            1 => set_half(&mut negotiation.driver_features, 32, value),
            _ => negotiation.unknown_features |= value != 0,
        }
    }

    fn write_status(&mut self, value: u32) {
        let offered = self.offered_features();
        let negotiation = &mut self.negotiation;
        match status::request(negotiation.status, value) {
            status::Request::Reset => self.reset_by_driver(),
            status::Request::Fail => {
                negotiation.status |= status::FAILED;
                if self.active {
                    self.bell.ring();
                }
            }
            status::Request::Ignore => {}
            status::Request::Step(status::FEATURES_OK) => {
                // A driver finds its choice refused when it reads the status back.
                if negotiation.features_acceptable(offered) {
                    negotiation.status |= status::FEATURES_OK;
                    let (event_index, indirect) = negotiation.queue_features();
                    for queue in &mut self.queues {
                        queue.set_event_index(event_index);
                        queue.set_indirect(indirect);
                    }
                }
            }
            // The device learns of DRIVER_OK with the first thing that it has to do then.
            status::Request::Step(step) => negotiation.status |= step,
        }
    }

    /// None of the driver's chains is used from here on. If none is under way, the driver sees a device that is reset:
    /// what is left to do (to close sockets, say) shows nowhere in the guest, and is done before the device does
    /// anything else. Otherwise the status reads as something that leads nowhere, until they have come back.
    fn reset_by_driver(&mut self) {
        let was_active = self.active;
        self.reset_registers();
        if self.is_under_way() {
            self.resetting = true;
            self.negotiation.status = status::NEEDS_RESET;
        }
        if was_active {
            self.reset_due = true;
            self.bell.ring();
        }
    }

    fn write_address(&mut self, area: Area, shift: u32, value: u32) {
        self.set_up_idle_queue(|queue, _| {
            let mut address = queue.address(area);
            set_half(&mut address, shift, value);
            queue.set_address(area, address);
            Ok(())
        });
    }

    /// Changes the selected queue, which is not in use: between FEATURES_OK and DRIVER_OK (virtio 1.2 §4.2.3.2).
    fn set_up_idle_queue(
        &mut self,
        change: impl FnOnce(&mut Queue, &GuestMemory) -> Result<(), QueueError>,
    ) {
        self.set_up_queue(status::FEATURES_OK | status::DRIVER_OK, |queue, mem| {
            if queue.is_ready() { Ok(()) } else { change(queue, mem) }
        });
    }

    /// Changes the selected queue if, of the status bits `bits`, just FEATURES_OK is set.
    fn set_up_queue(
        &mut self,
        bits: u32,
        change: impl FnOnce(&mut Queue, &GuestMemory) -> Result<(), QueueError>,
    ) {
        let bits = bits | status::NEEDS_RESET | status::FAILED;
        if self.negotiation.status & bits != status::FEATURES_OK {
            return;
        }
        let Some(queue) = self.queues.get_mut(self.negotiation.queue_select as usize) else {
            return;
        };
        if let Err(error) = change(queue, &self.mem) {
            self.fail(&error);
        }
    }
}

/// Replaces the half of `whole` that starts at bit `shift`.
fn set_half(whole: &mut u64, shift: u32, half: u32) {
    *whole = *whole & !(u64::from(u32::MAX) << shift) | u64::from(half) << shift;
}
