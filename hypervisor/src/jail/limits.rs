//! Resource limits (getrlimit(2)).

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use devices::limits::MAX_CONNECTIONS;
use rustix::fs::{FileType, fstat};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Inside;
use crate::config::{Config, Drive, DriveSource};
use crate::limits::{DESCRIPTORS, DESCRIPTORS_OF_A_DEVICE, MAX_WAITING};

/// How many descriptors a VM of this configuration may have at once.
pub(super) fn descriptors(config: &Config) -> u64 {
    let files = |drive: &Drive| match &drive.source {
        DriveSource::File(_) => 1,
        DriveSource::Parts(parts) => parts.len(),
    };
    let disks = config.drives.iter().map(|drive| files(drive) as u64 + DESCRIPTORS_OF_A_DEVICE);
    let vsock = DESCRIPTORS_OF_A_DEVICE + (MAX_CONNECTIONS + MAX_WAITING) as u64;
    let interfaces = config.network.len() as u64 * DESCRIPTORS_OF_A_DEVICE;
    let others = [(config.vsock.is_some(), vsock), (config.entropy, DESCRIPTORS_OF_A_DEVICE)];
    let others = others.iter().filter(|(there, _)| *there).map(|(_, descriptors)| *descriptors);
    // One for each processor.
    DESCRIPTORS
        + u64::from(config.machine.vcpus)
        + disks.sum::<u64>()
        + interfaces
        + others.sum::<u64>()
}

/// As much as the machine needs, if that is allowed: the usual limit of 1,024 is less than a thousand streams need.
pub(super) fn on_descriptors(inside: &mut Inside) -> io::Result<()> {
    set(Resource::Nofile, Some(inside.needs.descriptors))
}

/// `None` if it also writes to files that grow as they like: the log, or a console that somebody keeps.
pub(super) fn longest_file(of_a_disk: u64, log: Option<&Path>) -> Option<u64> {
    let grows =
        is_file(io::stdout()) || is_file(io::stderr()) || log.is_some_and(|path| path.is_file());
    (!grows).then_some(of_a_disk)
}

fn is_file(descriptor: impl AsFd) -> bool {
    fstat(descriptor).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file())
}

/// On what it writes, and no core dump.
pub(super) fn on_files(inside: &mut Inside) -> io::Result<()> {
    set(Resource::Core, Some(0))?;
    set(Resource::Fsize, inside.needs.longest_file)
}

/// Sets a limit for good, as far as it is not lower already. `None`: leaves it as it is.
fn set(resource: Resource, most: Option<u64>) -> io::Result<()> {
    let Some(most) = most else { return Ok(()) };
    let allowed = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = Some(most.min(allowed));
    Ok(setrlimit(resource, Rlimit { current: limit, maximum: limit })?)
}
