//! A bell that any thread rings to bring the event loop out of its wait.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use devices::Interrupt;
use rustix::event::{EventfdFlags, eventfd};

/// The bell. Clones ring the same one; many rings before it is heard are one.
#[derive(Clone)]
pub struct Wake(Arc<OwnedFd>);

impl Wake {
    /// A silent bell.
    pub fn new() -> io::Result<Wake> {
        Ok(Wake(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Rings it.
    pub fn wake(&self) {
        // The only way to fail is a counter at its limit, and then it is ringing already.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }

    /// Silences it.
    pub fn clear(&self) {
        // Fails only if it was silent.
        let _ = rustix::io::read(&*self.0, &mut [0; 8]);
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Interrupt for Wake {
    fn raise(&self) {
        self.wake();
    }
}
