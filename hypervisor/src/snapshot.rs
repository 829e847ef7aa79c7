//! What a VM is when it stands still, but for its memory: one file, with a version and a checksum.
//!
//! | bytes | |
//! |---|---|
//! | 0 to 8 | `BULKHEAD` |
//! | 8 to 12 | [`VERSION`], as all numbers here little-endian |
//! | 12 to 16 | 0 |
//! | 16 to 24 | the length of what follows the header |
//! | 24 to 32 | its CRC-64 |
//! | 32 on | [`Snapshot`], as JSON |
//!
//! A file may be damaged, forged, or another machine's: it is read as a guest's memory would be. Its length is bounded,
//! everything in it is checked before anything is used, and a machine of which a part was refused does not run. Nothing says
//! how many of something there are but the lists themselves.
//!
//! The guest's memory is a file of its own ([`memory`](crate::memory)), because it is mapped and not read.

mod bytes;
mod checksum;
mod error;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::native::state::{FixedState, Host, VcpuState, VmState};

pub use bytes::Raw;
pub(crate) use error::shown;
pub use error::{RestoreError, SnapshotError};

/// Changes whenever what is in the file, or what it means, does. No other is read.
pub const VERSION: u32 = 1;

/// What the file begins with.
const MAGIC: [u8; 8] = *b"BULKHEAD";
/// The length of the header.
const HEADER: usize = 32;
/// No file is longer, in bytes: 32 vCPUs take a tenth of it.
pub(crate) const MAX_LENGTH: u64 = 16 << 20;

/// A machine that stands still, without its memory.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Where it ran.
    pub(crate) host: Host,
    /// How long its memory is, in bytes.
    pub(crate) memory: u64,
    /// KVM's part of it.
    pub(crate) vm: VmState,
    /// Its vCPUs.
    pub(crate) vcpus: Vec<VcpuState>,
    /// Its fixed devices.
    pub(crate) fixed: FixedState,
    /// Its virtio devices, in the order of their slots.
    pub(crate) devices: Vec<DeviceState>,
}

/// A virtio device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceState {
    /// What it is, as a person calls it.
    pub name: String,
    /// The model's state.
    pub state: Value,
}

impl Snapshot {
    /// The file's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, SnapshotError> {
        let content = serde_json::to_vec(self).map_err(SnapshotError::Content)?;
        Ok(with_header(&content))
    }

    /// Reads the file's bytes. What they say is not compared with any machine yet.
    pub fn decode(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
        let (header, content) = bytes.split_at_checked(HEADER).ok_or(SnapshotError::Kind)?;
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&header[at..at + 8]);
            u64::from_le_bytes(number)
        };
        if header[..8] != MAGIC {
            return Err(SnapshotError::Kind);
        }
        if number(8) != u64::from(VERSION) {
            return Err(SnapshotError::Version { found: number(8) as u32 });
        }
        if number(16) != content.len() as u64 {
            return Err(SnapshotError::Length { said: number(16), found: content.len() as u64 });
        }
        if number(24) != checksum::crc64(content) {
            return Err(SnapshotError::Checksum);
        }
        serde_json::from_slice(content).map_err(SnapshotError::Content)
    }

    /// Writes it to an empty file.
    pub fn write(&self, file: &File) -> Result<(), SnapshotError> {
        file.write_all_at(&self.encode()?, 0).map_err(SnapshotError::Write)
    }

    /// Reads it from a file.
    pub fn read(file: &File) -> Result<Snapshot, SnapshotError> {
        let mut bytes = Vec::new();
        let length = file.metadata().map_err(SnapshotError::Read)?.len();
        if length <= MAX_LENGTH {
            let mut read = || -> io::Result<()> {
                bytes.try_reserve_exact(length as usize)?;
                let mut from_start = FromStart { file, at: 0 };
                from_start.by_ref().take(MAX_LENGTH + 1).read_to_end(&mut bytes)?;
                Ok(())
            };
            read().map_err(SnapshotError::Read)?;
        }
        let length = length.max(bytes.len() as u64);
        match length > MAX_LENGTH {
            true => Err(SnapshotError::TooLong { length, most: MAX_LENGTH }),
            false => Snapshot::decode(&bytes),
        }
    }
}

/// A file of this content.
pub fn with_header(content: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER + content.len());
    file.extend(MAGIC);
    file.extend(VERSION.to_le_bytes());
    file.extend([0; 4]);
    file.extend((content.len() as u64).to_le_bytes());
    file.extend(checksum::crc64(content).to_le_bytes());
    file.extend(content);
    file
}

/// Reads a file from its start, wherever those stand who have the same descriptor.
struct FromStart<'a> {
    file: &'a File,
    at: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(buf, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}
