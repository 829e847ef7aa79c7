//! What the vCPUs of a VM are to do.

use std::sync::atomic::{AtomicU8, Ordering};

/// What all of them are to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To run the guest.
    Run,
    /// To leave the guest, and to wait.
    Hold,
    /// To leave the guest for good.
    End,
}

/// The wish of the moment.
pub struct Wishes(AtomicU8);

impl Wishes {
    /// They are held.
    pub fn new() -> Wishes {
        Wishes(AtomicU8::new(Wish::Hold as u8))
    }

    /// Has another wish. A vCPU that is in the guest learns of it when it leaves.
    pub fn set(&self, wish: Wish) {
        self.0.store(wish as u8, Ordering::SeqCst);
    }

    /// The wish.
    pub fn get(&self) -> Wish {
        let wishes = [Wish::Run, Wish::Hold];
        let wish = self.0.load(Ordering::SeqCst);
        wishes.into_iter().find(|known| *known as u8 == wish).unwrap_or(Wish::End)
    }
}
