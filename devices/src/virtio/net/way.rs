//! One direction of the link, and what limits it.

use std::time::Duration;

use super::backend::Backend;
use super::packet::{HEADER_LEN, MAX_PACKET};
use crate::virtio::rate::{RateLimiter, RateLimits};

/// What a configuration says of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The guest's hardware address. `None`: the guest makes one up.
    pub mac: Option<[u8; 6]>,
    /// The most that a frame carries, in bytes. `None`: the guest takes it for 1500.
    pub mtu: Option<u16>,
    /// What limits the way to the guest.
    pub rx: RateLimits,
    /// What limits the way from the guest.
    pub tx: RateLimits,
}

/// One way of the link.
pub(super) struct Way {
    limiter: RateLimiter,
    /// When the limiter lets the next packet go that waits for it.
    pub(super) ready_at: Option<Duration>,
    pub(super) packet: Box<[u8]>,
}

impl Way {
    /// The buffer has room for one byte more than a packet: so a longer one can be told.
    pub(super) fn new(limits: &RateLimits) -> Self {
        let packet = vec![0; MAX_PACKET + 1].into_boxed_slice();
        Self { limiter: RateLimiter::new(limits), ready_at: None, packet }
    }

    /// When the next packet may go; `None`: now.
    pub(super) fn next_turn<B: Backend>(&mut self, backend: &B) -> Option<Duration> {
        let limits = self.limiter.limits_anything();
        limits.then(|| self.limiter.ready_at(backend.now())).flatten()
    }

    /// A packet of this length goes: its frame counts.
    pub(super) fn charge<B: Backend>(&mut self, backend: &B, packet: usize) {
        if self.limiter.limits_anything() {
            self.limiter.charge(backend.now(), packet.saturating_sub(HEADER_LEN) as u64);
        }
    }
}
