//! What an interface tells of itself, without a system call: it is written to memory that whoever started the VM has too.

use std::fs::File;
use std::io;
use std::sync::atomic::{Ordering, fence};
use std::time::Duration;

use devices::virtio::net::{Backend, Filtered, Net};
use egress_rules::{Counters, InterfaceReport, PAGE_HEADER, PAGE_SIZE};
use vm_memory::{Bytes, FileOffset, MmapRegion, VolatileMemory};

use super::alarm::Alarm;

/// How often at most it is written while the guest runs: the longest report takes some milliseconds.
const INTERVAL: Duration = Duration::from_secs(1);

/// Writes down what is new, at once or when its time has come.
pub struct Teller {
    page: Page,
    alarm: Alarm,
    /// What was written last, from which everything else in a report follows.
    told: Option<Counters>,
    /// Not before.
    next: Duration,
}

impl Teller {
    /// Writes to this file, which [`PAGE_SIZE`] bytes of stay in.
    pub fn new(file: File, alarm: Alarm) -> io::Result<Teller> {
        Ok(Teller { page: Page::new(file)?, alarm, told: None, next: Duration::ZERO })
    }

    /// Something may have happened.
    pub fn tell(&mut self, net: &Net<Filtered<impl Backend>>) {
        if self.told == Some(net.counters()) {
            return;
        }
        let now = net.backend().now();
        if now < self.next {
            self.alarm.set(Some(self.next));
            return;
        }
        self.tell_now(net);
        self.alarm.set(None);
        self.next = now + INTERVAL;
    }

    /// Writes it down whatever the time.
    pub fn tell_now(&mut self, net: &Net<Filtered<impl Backend>>) {
        let counters = net.counters();
        self.told = Some(counters);
        let report = InterfaceReport { counters, egress: net.backend().report() };
        if let Err(error) = self.page.write(&report) {
            log::debug!("the report of a network interface: {error}");
        }
    }
}

/// The memory. What stands where is said in `report` of `egress_rules`.
struct Page {
    region: MmapRegion,
    sequence: u64,
}

impl Page {
    fn new(file: File) -> io::Result<Page> {
        let region = MmapRegion::from_file(FileOffset::new(file, 0), PAGE_SIZE);
        Ok(Page { region: region.map_err(io::Error::other)?, sequence: 0 })
    }

    /// What is too long, which no report is, does not fit and leaves the number odd.
    fn write(&mut self, report: &InterfaceReport) -> io::Result<()> {
        let text = serde_json::to_vec(report)?;
        let length = (text.len() as u64).to_le_bytes();
        let page = self.region.as_volatile_slice();
        let number =
            |number: u64, order| page.store(number.to_le(), 0, order).map_err(io::Error::other);
        number(self.sequence + 1, Ordering::Relaxed)?;
        fence(Ordering::Release);
        page.write_slice(&length, PAGE_HEADER - length.len()).map_err(io::Error::other)?;
        page.write_slice(&text, PAGE_HEADER).map_err(io::Error::other)?;
        self.sequence += 2;
        number(self.sequence, Ordering::Release)
    }
}
