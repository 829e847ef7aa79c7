//! Which device answers at which address: a short sorted list, one for ports and one for memory.

use std::sync::{Arc, Mutex, PoisonError};

use devices::{Outcome, Registers};

/// A device that both vCPU threads and the event loop reach.
pub type SharedDevice = Arc<dyn SharedRegisters>;

/// Registers that several threads reach at once.
pub trait SharedRegisters: Send + Sync {
    /// As [`Registers::read`].
    fn read(&self, offset: u64, data: &mut [u8]);
    /// As [`Registers::write`].
    fn write(&self, offset: u64, data: &[u8]) -> Outcome;
}

/// One thread after the other. A panic in a device ends the process in a release build; in a test, the next user may go on.
impl<R: Registers> SharedRegisters for Mutex<R> {
    fn read(&self, offset: u64, data: &mut [u8]) {
        self.lock().unwrap_or_else(PoisonError::into_inner).read(offset, data);
    }

    fn write(&self, offset: u64, data: &[u8]) -> Outcome {
        self.lock().unwrap_or_else(PoisonError::into_inner).write(offset, data)
    }
}

/// One address space. It does not change once the vCPUs run, so they share it without a lock;
/// each device has its own.
#[derive(Default)]
pub struct Bus {
    /// Sorted by `first`; ranges don't overlap.
    entries: Vec<Entry>,
}

/// The two address spaces of a machine.
#[derive(Default)]
pub struct Buses {
    /// Ports, which only x86_64 has.
    pub ports: Bus,
    /// Memory-mapped registers.
    pub mmio: Bus,
}

struct Entry {
    first: u64,
    last: u64,
    device: SharedDevice,
}

impl Bus {
    /// Puts a device at `length` addresses from `first`. The memory map keeps devices apart.
    pub fn insert(&mut self, first: u64, length: u64, device: SharedDevice) {
        let last = first + (length - 1);
        let place = self.entries.partition_point(|entry| entry.first < first);
        debug_assert!(self.entries.get(place).is_none_or(|next| last < next.first));
        debug_assert!(place == 0 || self.entries[place - 1].last < first);
        self.entries.insert(place, Entry { first, last, device });
    }

    /// The device at an address, and the address's offset in it.
    fn find(&self, address: u64) -> Option<(&Entry, u64)> {
        let after = self.entries.partition_point(|entry| entry.first <= address);
        let entry = self.entries[..after].last().filter(|entry| address <= entry.last)?;
        Some((entry, address - entry.first))
    }

    /// A guest's read. Where there is no device all bits are ones, as on a bus that nobody drives.
    pub fn read(&self, address: u64, data: &mut [u8]) {
        match self.find(address) {
            Some((entry, offset)) => entry.device.read(offset, data),
            None => data.fill(0xFF),
        }
    }

    /// A guest's write. Where there is no device it is lost.
    pub fn write(&self, address: u64, data: &[u8]) -> Outcome {
        match self.find(address) {
            Some((entry, offset)) => entry.device.write(offset, data),
            None => Outcome::Continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with its own number and the offset.
    struct Echo(u8);

    impl Registers for Echo {
        fn read(&mut self, offset: u64, data: &mut [u8]) {
            data.fill(self.0 + offset as u8);
        }
        fn write(&mut self, _offset: u64, _data: &[u8]) -> Outcome {
            Outcome::Reset
        }
    }

    #[test]
    fn an_access_reaches_the_device_whose_range_it_is_in() {
        let mut bus = Bus::default();
        for (first, length, number) in [(0x70, 2, 20), (0x10, 4, 10), (0xFFFF_FFFF, 1, 30)] {
            bus.insert(first, length, Arc::new(Mutex::new(Echo(number))));
        }
        let read = |address| {
            let mut data = [0];
            bus.read(address, &mut data);
            data[0]
        };
        let addresses = [0xF, 0x10, 0x13, 0x14, 0x6F, 0x70, 0x71, 0x72, 0xFFFF_FFFF, u64::MAX];
        let answers = addresses.map(read);
        assert_eq!(answers, [0xFF, 10, 13, 0xFF, 0xFF, 20, 21, 0xFF, 30, 0xFF]);
        assert_eq!(bus.write(0x11, &[0]), Outcome::Reset);
        assert_eq!(bus.write(0x14, &[0]), Outcome::Continue);
    }
}
