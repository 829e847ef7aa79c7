//! Telling one state of a file from another without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// More than the coarsest step of a file's times (Linux `CONFIG_HZ=100`). A change within one step after another leaves no
/// trace: who takes a stamp, waits so long, reads, and finds the same stamp again, has read what the stamp stands for.
pub const CLOCK_TICK: Duration = Duration::from_millis(20);

/// Numbers of which one changes whenever the file does, or is another file. Linux moves the time of the last status change
/// (ctime) at every write and every change of owner, mode or attributes, and nobody can set it back.
pub fn stamp(metadata: &Metadata) -> [u64; 11] {
    [
        metadata.dev(),
        metadata.ino(),
        u64::from(metadata.mode()),
        u64::from(metadata.uid()),
        u64::from(metadata.gid()),
        metadata.size(),
        metadata.rdev(),
        metadata.mtime() as u64,
        metadata.mtime_nsec() as u64,
        metadata.ctime() as u64,
        metadata.ctime_nsec() as u64,
    ]
}
