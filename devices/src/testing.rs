//! Stand-ins for the outside world: for the tests here and, with the feature `testing`, for the fuzz targets.

pub mod clock;
pub mod net;
pub mod uart;
pub mod vsock;

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vm_memory::GuestAddress;

use crate::fixed::clock::Clock;
use crate::{Bell, GuestMemory, Interrupt};

/// An interrupt line that counts its edges, or a bell that counts its rings; clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicUsize>);

impl Counter {
    /// How many there were since the last [`take`](Self::take).
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// The same, and counts from none again.
    pub fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl Interrupt for Counter {
    fn raise(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Bell for Counter {
    fn ring(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// An output that tests can look at; clones show the same.
#[derive(Clone, Default)]
pub struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All that came since the last [`take`](Self::take).
    pub fn shows(&self) -> Vec<u8> {
        self.bytes().clone()
    }

    /// The same, and shows nothing from then on.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.bytes())
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A clock that only tests move; clones show the same time.
#[derive(Clone)]
pub struct Hand(Arc<AtomicU64>);

impl Hand {
    /// At so many seconds after 1970.
    pub fn at(seconds: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seconds * 1_000_000_000)))
    }

    /// Sets it to so many nanoseconds after 1970, forward or back.
    pub fn set(&self, nanos: u64) {
        self.0.store(nanos, Ordering::SeqCst);
    }

    /// What it shows, in nanoseconds after 1970.
    pub fn nanos(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Sets it forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_nanos() as u64, Ordering::SeqCst);
    }

    /// Sets it back.
    pub fn set_back(&self, by: Duration) {
        self.0.fetch_sub(by.as_nanos() as u64, Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn since_epoch(&self) -> Duration {
        Duration::from_nanos(self.nanos())
    }
}

/// Zeroed guest memory from address 0, in bytes.
pub fn memory(bytes: usize) -> GuestMemory {
    GuestMemory::from_ranges(&[(GuestAddress(0), bytes)]).expect("anonymous memory")
}
