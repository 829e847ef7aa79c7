//! How much one notification may make a device do.
//!
//! Without a limit a driver that adds chains as fast as the device takes them would hold the event loop for ever, and
//! one whose chains name the same memory over and over could keep it busy for minutes.

/// The bytes after which a device yields: some milliseconds of copying.
const BYTES: u64 = 16 << 20;

/// What is left of a notification's share.
#[derive(Debug)]
pub(super) struct Budget {
    chains: u16,
    bytes: u64,
}

impl Budget {
    /// One queue's worth of chains.
    pub(super) fn new(queue_size: u16) -> Self {
        Self { chains: queue_size, bytes: BYTES }
    }

    /// Accounts for a chain of so many bytes. The last one may be larger than what is left.
    pub(super) fn spend(&mut self, bytes: u64) {
        self.chains = self.chains.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.chains == 0 || self.bytes == 0
    }
}
