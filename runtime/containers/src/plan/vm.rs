//! The VM's half of a plan: in what machine a container runs.
//!
//! The machine is described in the schema of `bulkhead-vmm --config-file`, which is Firecracker's.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::network::NetworkInterface;
use host::disk::Part;
use host::platform::Platform;

/// The VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmPlan {
    /// What its kernel, its image and its guest-init are for.
    pub platform: Platform,
    /// Its configuration, without socket and scratch disk.
    pub config: VmConfig,
    /// Whether the guest's console goes to stderr.
    pub console: bool,
    /// The size of the scratch disk in bytes; without one, the container writes to memory.
    pub scratch: Option<u64>,
    /// As root: the first of the numbers of users of which the VM gets one, if it is not the usual one.
    pub uid_base: Option<u32>,
}

/// The configuration file of `bulkhead-vmm`, as far as it is used here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct VmConfig {
    pub boot_source: BootSource,
    pub drives: Vec<Drive>,
    pub machine_config: MachineConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vsock: Option<Vsock>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub network_interfaces: Vec<NetworkInterface>,
    pub entropy: Entropy,
}

/// What to boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct BootSource {
    pub kernel_image_path: PathBuf,
    pub initrd_path: PathBuf,
    pub boot_args: String,
}

/// A disk: of parts, or one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Drive {
    pub drive_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<Vec<Part>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_on_host: Option<PathBuf>,
    pub is_root_device: bool,
    pub is_read_only: bool,
}

/// CPUs and memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct MachineConfig {
    pub vcpu_count: u32,
    pub mem_size_mib: u64,
}

/// The socket device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Vsock {
    pub guest_cid: u32,
    pub uds_path: PathBuf,
}

/// The entropy device has nothing to set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entropy {}
