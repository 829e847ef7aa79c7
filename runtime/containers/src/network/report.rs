//! What a VM tells of its interfaces: it writes that to memory which this process has too. The VM may be its guest's by now:
//! what stands there is looked at as if the guest had written it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::Duration;

use egress_rules::{Counters, InterfaceReport, PAGE_HEADER, PAGE_SIZE, REPORTED, Traffic};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::{Errno, pread};
use serde::{Deserialize, Serialize};

use super::NetworkInterface;

/// How often it is looked at, when it is being written just then, and how long between. To write it takes milliseconds, once
/// a second.
const LOOKS: usize = 20;
const GLANCE: Duration = Duration::from_millis(5);

/// The longest text in it: a name of 255 bytes, each as four letters.
const MAX_TEXT: usize = 1020;

/// What an interface did in the life of its VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterfaceUse {
    /// The interface's name in the container.
    pub name: String,
    /// What its VM says that it did.
    pub report: InterfaceReport,
}

/// Where the interfaces of a VM tell of themselves.
#[derive(Debug, Default)]
pub(crate) struct Reports(Vec<(String, OwnedFd)>);

impl Reports {
    /// Makes the memory for each of these, and names it there.
    pub fn make(interfaces: &mut [NetworkInterface]) -> io::Result<Self> {
        let mut reports = Vec::new();
        for interface in interfaces {
            let memory = memory()?;
            interface.report_fd = Some(memory.as_raw_fd());
            reports.push((interface.iface_id.clone(), memory));
        }
        Ok(Self(reports))
    }

    /// What the VM inherits.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(|(_, memory)| memory.as_fd())
    }

    /// What each has told. All together they are no longer than one may be; one that tells nonsense has done nothing.
    pub fn read(&self) -> Vec<InterfaceUse> {
        let most = REPORTED / self.0.len().max(1);
        let read = |(name, memory): &(String, OwnedFd)| {
            let mut report = read(memory).unwrap_or_else(|why| {
                log::warn!("{name}: what the VM tells of it {why}");
                InterfaceReport::default()
            });
            if let Some(egress) = &mut report.egress {
                egress.destinations.truncate(most);
                egress.names.truncate(most);
            }
            InterfaceUse { name: name.clone(), report }
        };
        self.0.iter().map(read).collect()
    }
}

/// The counters of all of them together.
pub fn sum(interfaces: &[InterfaceUse]) -> Counters {
    let add = |sum: Traffic, more: Traffic| Traffic {
        bytes: sum.bytes.saturating_add(more.bytes),
        packets: sum.packets.saturating_add(more.packets),
        dropped: sum.dropped.saturating_add(more.dropped),
    };
    interfaces.iter().fold(Counters::default(), |sum, interface| {
        let Counters { rx, tx } = interface.report.counters;
        Counters { rx: add(sum.rx, rx), tx: add(sum.tx, tx) }
    })
}

fn memory() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Linux before 6.3 does not know that nothing runs from there, and some hosts want to be told (`vm.memfd_noexec`).
    let memory = match memfd_create("bulkhead-interface", flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => memfd_create("bulkhead-interface", flags),
        memory => memory,
    }?;
    ftruncate(&memory, PAGE_SIZE as u64)?;
    fcntl_add_seals(&memory, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(memory)
}

/// What stands there; what is wrong with it.
fn read(memory: &OwnedFd) -> Result<InterfaceReport, &'static str> {
    let unreadable = |_error: Errno| "cannot be read";
    let number = |head: &[u8; PAGE_HEADER], at: usize| {
        head[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    for look in 0..LOOKS {
        if look > 0 {
            thread::sleep(GLANCE);
        }
        let (mut head, mut again) = ([0; PAGE_HEADER], [0; PAGE_HEADER]);
        pread(memory, &mut head[..], 0).map_err(unreadable)?;
        let sequence = number(&head, 0);
        if sequence == 0 {
            // It has said nothing yet.
            return Ok(InterfaceReport::default());
        }
        let length = usize::try_from(number(&head, 8)).ok();
        let Some(length) = length.filter(|length| *length <= PAGE_SIZE - PAGE_HEADER) else {
            continue;
        };
        let mut text = vec![0; length];
        let read = pread(memory, &mut text[..], PAGE_HEADER as u64).map_err(unreadable)?;
        pread(memory, &mut again[..], 0).map_err(unreadable)?;
        if read != length || head != again || !sequence.is_multiple_of(2) {
            continue;
        }
        return parse(&text);
    }
    Err("is never whole")
}

fn parse(text: &[u8]) -> Result<InterfaceReport, &'static str> {
    let report: InterfaceReport = serde_json::from_slice(text).map_err(|_| "makes no sense")?;
    if let Some(egress) = &report.egress {
        let texts = egress.destinations.iter().map(|it| &it.protocol);
        let mut texts = texts.chain(egress.names.iter().map(|it| &it.name));
        let is_plain = |text: &String| {
            text.len() <= MAX_TEXT && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        };
        if egress.destinations.len() > REPORTED
            || egress.names.len() > REPORTED
            || !texts.all(is_plain)
        {
            return Err("is not what a filter tells");
        }
    }
    Ok(report)
}

#[cfg(test)]
mod tests;
