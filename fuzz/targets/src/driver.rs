//! A driver of a virtio device: the registers as far as every target needs them, and a ring.

use devices::virtio::F_VERSION_1;
use devices::virtio::VirtioDevice;
use devices::virtio::mmio::Mmio;
use devices::{GuestMemory, Registers};
use vm_memory::{Bytes, GuestAddress};

/// Places of registers (virtio 1.2 §4.2.2).
mod register {
    pub const DRIVER_FEATURES: u64 = 0x020;
    pub const DRIVER_FEATURES_SEL: u64 = 0x024;
    pub const QUEUE_SEL: u64 = 0x030;
    pub const QUEUE_NUM: u64 = 0x038;
    pub const QUEUE_READY: u64 = 0x044;
    pub const STATUS: u64 = 0x070;
    pub const QUEUE_DESC_LOW: u64 = 0x080;
    pub const QUEUE_DRIVER_LOW: u64 = 0x090;
    pub const QUEUE_DEVICE_LOW: u64 = 0x0a0;
}

/// Status bits (virtio 1.2 §2.1), in the order of the handshake.
const STEPS: [u32; 4] = [1, 2, 8, 4];
/// FAILED and DEVICE_NEEDS_RESET (virtio 1.2 §2.1).
const BROKEN: u32 = 128 | 64;

/// Reads the status register.
pub fn status<D: VirtioDevice>(mmio: &mut Mmio<D>) -> u32 {
    let mut value = [0; 4];
    mmio.read(register::STATUS, &mut value);
    u32::from_le_bytes(value)
}

/// Whether a driver that keeps to the handshake's order, as the transport sees to it, can read this status.
pub fn is_reachable(status: u32) -> bool {
    let done: u32 = STEPS.into_iter().take_while(|step| status & step != 0).sum();
    status & !BROKEN == done
}

/// The whole set-up of a device with these queues, and the features below bit 32 that it accepts. False: the device does not
/// offer them all.
pub fn set_up<D: VirtioDevice>(mmio: &mut Mmio<D>, features: u32, rings: &[Ring]) -> bool {
    let mut put = |register: u64, value: u32| {
        mmio.write(register, &value.to_le_bytes());
    };
    put(register::STATUS, 0);
    put(register::STATUS, 1);
    put(register::STATUS, 3);
    for (half, value) in [(0, features), (1, (F_VERSION_1 >> 32) as u32)] {
        put(register::DRIVER_FEATURES_SEL, half);
        put(register::DRIVER_FEATURES, value);
    }
    put(register::STATUS, 0xb);
    for (index, ring) in (0..).zip(rings) {
        put(register::QUEUE_SEL, index);
        put(register::QUEUE_NUM, ring.size.into());
        for (low, address) in [
            (register::QUEUE_DESC_LOW, ring.table()),
            (register::QUEUE_DRIVER_LOW, ring.available()),
            (register::QUEUE_DEVICE_LOW, ring.used()),
        ] {
            put(low, address as u32);
            put(low + 4, (address >> 32) as u32);
        }
        put(register::QUEUE_READY, 1);
    }
    put(register::STATUS, 0xf);
    status(mmio) == 0xf
}

/// VIRTQ_DESC_F_NEXT and VIRTQ_DESC_F_WRITE (virtio 1.2 §2.7.5).
pub const NEXT: u16 = 1;
/// See [`NEXT`].
pub const WRITE: u16 = 2;

/// A queue of up to 256 descriptors, in [`Ring::SPACE`] bytes of guest memory.
#[derive(Clone)]
pub struct Ring {
    mem: GuestMemory,
    base: u64,
    size: u16,
    next: u16,
    seen: u16,
}

impl Ring {
    /// How much memory it takes, in bytes.
    pub const SPACE: u64 = 0x3000;

    /// At `base`, with nothing in it.
    pub fn new(mem: &GuestMemory, base: u64, size: u16) -> Self {
        Self { mem: mem.clone(), base, size, next: 0, seen: 0 }
    }

    fn table(&self) -> u64 {
        self.base
    }

    fn available(&self) -> u64 {
        self.base + 0x1000
    }

    fn used(&self) -> u64 {
        self.base + 0x2000
    }

    /// Writes a descriptor.
    pub fn describe(&self, index: u16, addr: u64, len: u32, flags: u16, next: u16) {
        let rest = u64::from(len) | u64::from(flags) << 32 | u64::from(next) << 48;
        let at = self.table() + 16 * u64::from(index % self.size);
        self.put([addr, rest], at);
    }

    /// Offers the chain that begins with this descriptor.
    pub fn offer(&mut self, head: u16) {
        self.put(head, self.available() + 4 + 2 * u64::from(self.next % self.size));
        self.next = self.next.wrapping_add(1);
        self.put(self.next, self.available() + 2);
    }

    /// The next chain that came back: its head, and how much was written to it.
    pub fn take(&mut self) -> Option<(u32, u32)> {
        let index: u16 = self.get(self.used() + 2);
        if index == self.seen {
            return None;
        }
        let element: [u32; 2] = self.get(self.used() + 4 + 8 * u64::from(self.seen % self.size));
        self.seen = self.seen.wrapping_add(1);
        Some((element[0], element[1]))
    }

    fn put<T: vm_memory::ByteValued>(&self, value: T, at: u64) {
        self.mem.write_obj(value, GuestAddress(at)).expect("the ring is in memory");
    }

    fn get<T: vm_memory::ByteValued>(&self, at: u64) -> T {
        self.mem.read_obj(GuestAddress(at)).expect("the ring is in memory")
    }
}
