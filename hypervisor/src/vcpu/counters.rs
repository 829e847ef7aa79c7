//! How often vCPUs came back from the guest, and why.

use std::fmt;
use std::ops::AddAssign;

/// Exits by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub port_reads: u64,
    pub port_writes: u64,
    pub mmio_reads: u64,
    pub mmio_writes: u64,
    /// Signals, and whatever is none of the above.
    pub other: u64,
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Counters) {
        self.port_reads += other.port_reads;
        self.port_writes += other.port_writes;
        self.mmio_reads += other.mmio_reads;
        self.mmio_writes += other.mmio_writes;
        self.other += other.other;
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "port_reads={} port_writes={} mmio_reads={} mmio_writes={} other_exits={}",
            self.port_reads, self.port_writes, self.mmio_reads, self.mmio_writes, self.other
        )
    }
}
