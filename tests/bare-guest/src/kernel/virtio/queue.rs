//! A split virtqueue in one page, one chain at a time (virtio 1.2 §2.7).

use crate::kernel::dma::{Page, barrier};
use crate::kernel::machine::interrupts;

/// Descriptors of a queue.
pub const SIZE: u16 = 8;
/// Places of the three parts in the page.
const AVAILABLE: usize = 0x400;
const USED: usize = 0x800;

/// Descriptor flags.
const NEXT: u16 = 1;
const WRITE: u16 = 2;

/// Who writes a buffer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum By {
    Driver,
    Device,
}

/// A piece of memory in a chain.
pub type Buffer = (u64, u32, By);

pub struct Queue {
    pub index: u32,
    page: Page,
    available: u16,
    seen: u16,
    /// The device's interrupt.
    line: usize,
    /// How often it had come when the last chain was made available.
    interrupts_before: u32,
}

impl Queue {
    pub fn new(index: u32, line: usize) -> Option<Self> {
        let page = Page::take()?;
        Some(Self { index, page, available: 0, seen: 0, line, interrupts_before: 0 })
    }

    pub fn descriptors(&self) -> u64 {
        self.page.address()
    }

    pub fn available(&self) -> u64 {
        self.page.address() + AVAILABLE as u64
    }

    pub fn used(&self) -> u64 {
        self.page.address() + USED as u64
    }

    /// Makes one chain available, from descriptor 0 on: the one before it has come back.
    pub fn offer(&mut self, buffers: &[Buffer]) {
        for (i, (address, len, by)) in buffers.iter().enumerate() {
            let next = if i + 1 < buffers.len() { NEXT } else { 0 };
            let flags = next | if *by == By::Device { WRITE } else { 0 };
            self.page.put(i * 16, *address);
            self.page.put(i * 16 + 8, *len);
            self.page.put(i * 16 + 12, flags);
            self.page.put(i * 16 + 14, i as u16 + 1);
        }
        self.interrupts_before = interrupts::count(self.line);
        self.page.put(AVAILABLE + 4 + usize::from(self.available % SIZE) * 2, 0u16);
        barrier();
        self.available = self.available.wrapping_add(1);
        self.page.put(AVAILABLE + 2, self.available);
        barrier();
    }

    /// Whether the device has interrupted since the last chain was made available.
    pub fn has_interrupted(&self) -> bool {
        interrupts::count(self.line) != self.interrupts_before
    }

    /// How many bytes the device wrote into the chain that it gave back.
    pub fn take_used(&mut self) -> Option<u32> {
        barrier();
        if self.page.get::<u16>(USED + 2) == self.seen {
            return None;
        }
        let element = USED + 4 + usize::from(self.seen % SIZE) * 8;
        self.seen = self.seen.wrapping_add(1);
        Some(self.page.get(element + 4))
    }
}
