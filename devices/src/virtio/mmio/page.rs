//! What a driver reads of a device's registers: a page that always holds what is true.
//!
//! A driver reads a register with each interrupt, and dozens as it starts. Whoever has KVM show it the page, for reading only,
//! spares it an exit each time; otherwise the exit is answered from the page. The guest's other processors may read while
//! the device works: each register is whole, and the reasons of interrupts need no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Mmio;
use super::registers::{CONFIG, INTERRUPT_ACK, INTERRUPT_STATUS, LEN};
use crate::virtio::VirtioDevice;

/// Size of a register, and of a piece of the configuration space, in bytes.
const WORD: usize = size_of::<u32>();
/// How much of the configuration space is shown, in bytes: that of a disk, the longest, has 60 (virtio 1.2 §5.2.4).
const CONFIG_LEN: usize = 0x100;

/// One page, little-endian words.
#[derive(Debug)]
#[repr(C, align(4096))]
struct Page([AtomicU32; LEN as usize / WORD]);

impl Default for Page {
    fn default() -> Self {
        Page([const { AtomicU32::new(0) }; LEN as usize / WORD])
    }
}

/// Pages one behind the other, for as many devices.
#[derive(Clone, Debug)]
pub struct RegisterPages(Arc<[Page]>);

/// One of them. Clones are the same one.
#[derive(Clone, Debug)]
pub struct RegisterPage {
    pages: RegisterPages,
    index: usize,
}

impl RegisterPages {
    /// So many of them.
    pub fn new(count: usize) -> Self {
        Self((0..count).map(|_| Page::default()).collect())
    }

    /// The page of this number, if there are so many.
    pub fn page(&self, index: usize) -> Option<RegisterPage> {
        (index < self.0.len()).then(|| RegisterPage { pages: self.clone(), index })
    }

    /// Where they are in this process, for as long as a clone of this lives. They are aligned as pages are.
    pub fn address(&self) -> *const u8 {
        self.0.as_ptr().cast()
    }

    /// How long they are, in bytes.
    pub fn len(&self) -> usize {
        size_of_val(&*self.0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl RegisterPage {
    /// One of its own.
    pub(super) fn alone() -> Self {
        Self { pages: RegisterPages::new(1), index: 0 }
    }

    fn word(&self, offset: usize) -> Option<&AtomicU32> {
        self.pages.0.get(self.index)?.0.get(offset / WORD)
    }

    /// A driver's read, of any width. Drivers must read registers as aligned words (virtio 1.2 §4.2.2.2).
    pub fn read(&self, offset: u64, data: &mut [u8]) {
        for (at, byte) in (offset as usize..).zip(data) {
            let word = self.word(at).map_or(0, |word| word.load(Ordering::Acquire));
            *byte = word.to_ne_bytes()[at % WORD];
        }
    }

    /// A driver's write, if it is to INTERRUPT_ACK, which needs no lock. False: it is to another register, or of another width.
    pub fn write(&self, offset: u64, data: &[u8]) -> bool {
        match <[u8; 4]>::try_from(data) {
            Ok(data) if offset == INTERRUPT_ACK => {
                self.acknowledge(u32::from_le_bytes(data));
                true
            }
            _ => false,
        }
    }

    /// Shows a register's value.
    pub(super) fn show(&self, offset: u64, value: u32) {
        if let Some(word) = self.word(offset as usize) {
            // A driver that sees it also sees what it is about.
            word.store(value.to_le(), Ordering::Release);
        }
    }

    /// Shows the configuration space. One field of it changes at a time, so that nothing torn can be read.
    pub(super) fn show_config(&self, read: impl FnOnce(&mut [u8])) {
        let mut config = [0; CONFIG_LEN];
        read(&mut config);
        let (words, _) = config.as_chunks();
        for (at, bytes) in (CONFIG..).step_by(WORD).zip(words) {
            self.show(at, u32::from_le_bytes(*bytes));
        }
    }

    /// INTERRUPT_STATUS (virtio 1.2 §4.2.2), which is nowhere else.
    fn interrupts(&self) -> Option<&AtomicU32> {
        self.word(INTERRUPT_STATUS as usize)
    }

    /// Acquire: who sees a reason also sees what the interrupt is for.
    pub(super) fn reasons(&self) -> u32 {
        self.interrupts().map_or(0, |word| u32::from_le(word.load(Ordering::Acquire)))
    }

    /// Acquire, too: the driver looks at the queues behind this, and a reason that came before it is gone.
    pub(super) fn acknowledge(&self, reasons: u32) {
        if let Some(word) = self.interrupts() {
            word.fetch_and(!reasons.to_le(), Ordering::AcqRel);
        }
    }

    pub(super) fn add_reason(&self, reason: u32) {
        if let Some(word) = self.interrupts() {
            word.fetch_or(reason.to_le(), Ordering::Release);
        }
    }

    pub(super) fn set_reasons(&self, reasons: u32) {
        self.show(INTERRUPT_STATUS, reasons);
    }
}

impl<D: VirtioDevice> Mmio<D> {
    /// The same, on a page of somebody else's.
    pub fn on_page(mut self, page: RegisterPage) -> Self {
        self.page = page;
        self.show();
        self
    }

    /// What a driver reads, for those who need not wait until the device has done its work.
    pub fn page(&self) -> &RegisterPage {
        &self.page
    }
}
