//! Stand-ins for the outside world.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use devices::fixed::clock::Clock;
use devices::{Bell, GuestMemory, Interrupt};
use vm_memory::GuestAddress;

/// An interrupt line or a bell that counts; clones share the count.
#[derive(Clone, Default)]
pub struct Counter(Arc<AtomicUsize>);

impl Counter {
    /// How often it was raised or rung since the last time this was asked.
    pub fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Interrupt for Counter {
    fn raise(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Bell for Counter {
    fn ring(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// An output that keeps what it is given.
#[derive(Clone, Default)]
pub struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    /// What came since the last time this was asked.
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A clock that the target moves; clones show the same time.
#[derive(Clone)]
pub struct Hand(Arc<AtomicU64>);

impl Hand {
    /// At so many nanoseconds after 1970.
    pub fn at(nanos: u64) -> Self {
        Self(Arc::new(AtomicU64::new(nanos)))
    }

    /// Sets it, forward or back.
    pub fn set(&self, nanos: u64) {
        self.0.store(nanos, Ordering::Relaxed);
    }

    /// What it shows, in nanoseconds after 1970.
    pub fn nanos(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Clock for Hand {
    fn since_epoch(&self) -> Duration {
        Duration::from_nanos(self.nanos())
    }
}

/// Zeroed guest memory from address 0.
pub fn memory(bytes: usize) -> GuestMemory {
    GuestMemory::from_ranges(&[(GuestAddress(0), bytes)]).expect("anonymous memory")
}

/// A file without a name that holds these bytes.
pub fn file(bytes: &[u8]) -> File {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::memfd_create("fuzz", flags).expect("a file in memory"));
    file.write_all(bytes).expect("room for it");
    file
}

/// A path under which such a file can be opened.
pub fn path_of(file: &File) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", file.as_raw_fd())
}
