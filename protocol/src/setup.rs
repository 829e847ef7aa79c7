//! What a container is, apart from its processes.

use serde::{Deserialize, Serialize};

use crate::frame::length;
use crate::{ByteString, Clock, Network, ProcessError};

/// What the guest needs to know before the first process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The container.
    pub setting: Setting,
    /// What it can call, and is called by.
    pub network: Network,
    /// The host's wall clock.
    pub clock: Clock,
    /// Bytes of the host's random source that the guest's is seeded with.
    pub seed: ByteString,
    /// What each further [`crate::Hello`] has to repeat. Processes of the container can call the host too, where their filter
    /// of system calls can't see them do it; this they don't know.
    pub key: ByteString,
}

/// Where its processes live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// The container's host name.
    pub hostname: ByteString,
    /// Whether its root file system refuses writes.
    pub read_only: bool,
    /// Memory file systems to mount, in this order.
    pub tmpfs: Vec<Tmpfs>,
    /// The most memory that its processes may have together, in bytes (memory.max of their control group).
    pub memory: u64,
}

/// A memory file system, never with device nodes or set-user-ID programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tmpfs {
    /// Where: in the container, absolute; made when the image lacks it.
    pub path: ByteString,
    /// The most it holds, in bytes; half of the memory when not said (tmpfs(5)).
    pub size: Option<u64>,
    /// Permissions of its root.
    pub mode: u32,
    /// Whether programs on it may be run.
    pub executable: bool,
}

/// The most bytes of a frame that a setting takes: a quarter, of which a container with all of docker's memory file systems takes
/// some hundred.
pub(crate) const MAX_LENGTH: usize = 256 << 10;

/// More bytes than the other fields of a [`Setup`] take, and their names: a clock, and a seed and a key as numbers.
pub(crate) const REST: usize = 4 << 10;

/// HOST_NAME_MAX, gethostname(2).
const MAX_HOSTNAME: usize = 64;

/// Permissions, set-ID bits and the sticky bit, chmod(2).
const MODE: u32 = 0o7777;

impl Setting {
    /// Looks at every field. The host checks what it sends; the guest checks what it got.
    pub fn check(&self) -> Result<(), ProcessError> {
        let hostname = self.hostname.as_bytes();
        if !(1..=MAX_HOSTNAME).contains(&hostname.len()) || hostname.contains(&0) {
            return Err(ProcessError::Hostname(self.hostname.clone()));
        }
        for Tmpfs { path, mode, .. } in &self.tmpfs {
            let bytes = path.as_bytes();
            if !bytes.starts_with(b"/") || bytes.contains(&0) {
                return Err(ProcessError::TmpfsPath(path.clone()));
            }
            if mode & !MODE != 0 {
                return Err(ProcessError::TmpfsMode { path: path.clone(), mode: *mode });
            }
        }
        match length(self) {
            0..=MAX_LENGTH => Ok(()),
            length => Err(ProcessError::TmpfsLength(length)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_is_looked_at() {
        let tmpfs = Tmpfs { path: "/run".into(), size: None, mode: 0o1777, executable: false };
        let setting = Setting {
            hostname: "box".into(),
            read_only: false,
            tmpfs: vec![tmpfs],
            memory: 1 << 27,
        };
        assert_eq!(setting.check(), Ok(()));
        let refused = |change: fn(&mut Setting)| {
            let mut setting = setting.clone();
            change(&mut setting);
            setting.check().unwrap_err().to_string()
        };
        assert!(refused(|s| s.hostname = "".into()).starts_with("hostname:"));
        assert!(refused(|s| s.hostname = "a".repeat(65).into()).starts_with("hostname:"));
        assert!(refused(|s| s.hostname = "a\0".into()).starts_with("hostname:"));
        assert!(refused(|s| s.tmpfs[0].path = "run".into()).starts_with("tmpfs:"));
        assert!(refused(|s| s.tmpfs[0].mode = 0o10000).contains("10000"));
        let told = refused(|s| s.tmpfs = vec![s.tmpfs[0].clone(); 5000]);
        assert!(told.starts_with("tmpfs: ") && told.ends_with(": at most 262144 may"), "{told}");
    }
}
