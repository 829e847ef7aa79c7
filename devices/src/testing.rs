//! Stand-ins for the outside world in tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use vm_memory::GuestAddress;

use crate::{GuestMemory, Interrupt};

/// An interrupt line that counts its edges; clones share the count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Interrupt for Counter {
    fn raise(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Zeroed guest memory from address 0.
pub(crate) fn memory(bytes: usize) -> GuestMemory {
    GuestMemory::from_ranges(&[(GuestAddress(0), bytes)]).expect("anonymous memory")
}
