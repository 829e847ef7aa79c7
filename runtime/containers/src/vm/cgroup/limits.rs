//! How much a VM's processes may use of their host.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::statfs;
use serde::{Deserialize, Serialize};

use crate::plan::VmConfig;

/// What both processes of a VMM may use besides the guest's memory, in bytes.
///
/// Measured on a guest of two processors that had filled 480 MiB: 2.1 MiB of the kernel's, of which 1.2 MiB are page tables,
/// and 0.2 MiB of the process outside; the VM's own is 0.9 MiB (README, "resident outside guest memory"). The rest is for a
/// VMM whose host's programs read nothing: each of its streams holds up to 64 KiB itself (`BUF_ALLOC` in
/// devices/src/virtio/vsock.rs) and 208 KiB in the kernel (net.core.wmem_default), so that more than 200 may stand still.
const OVERHEAD: u64 = 64 << 20;

/// And one byte for so many of the guest's: page tables, the host's and those of KVM, have eight bytes each for a page of
/// 4096.
const OVERHEAD_SHARE: u64 = 64;

/// Processes and threads besides those for processors and disks: the process outside, the VM's first thread, KVM's own
/// (`kvm-nx-lpage-recovery`), and some to spare.
const THREADS: u32 = 8;

/// In microseconds, the kernel's own (linux/Documentation/admin-guide/cgroup-v2.rst, `cpu.max`), and docker's.
const PERIOD: u64 = 100_000;

/// What `inspect` says of them. What is not limited is `None`, and `lack` says why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Where it is.
    pub path: Option<PathBuf>,
    /// In bytes, as `memory.max` has it.
    pub memory: Option<u64>,
    /// Threads and processes, as `pids.max` has it.
    pub pids: Option<u32>,
    /// Microseconds in so many microseconds, as `cpu.max` has it.
    pub cpu: Option<String>,
    /// One line.
    pub lack: Option<String>,
}

impl Limits {
    pub(super) fn none(why: String) -> Self {
        Self { lack: Some(why), ..Self::default() }
    }

    /// Writes those of this VM down in its cgroup, which has these controllers.
    pub(super) fn set(path: &Path, config: &VmConfig, controllers: &[&str]) -> Self {
        let machine = &config.machine_config;
        let guest = machine.mem_size_mib << 20;
        let memory = guest + guest / OVERHEAD_SHARE + OVERHEAD + disks_in_memory(config);
        let pids = THREADS + machine.vcpu_count + config.drives.len() as u32;
        let cpu = format!("{} {PERIOD}", u64::from(machine.vcpu_count) * PERIOD);
        let mut lacks = Vec::new();
        let mut set = |controller: &str, limit: String| {
            let file = format!("{controller}.max");
            let result = match controllers.contains(&controller) {
                true => fs::write(path.join(&file), limit).map_err(|error| error.to_string()),
                false => Err("the controller is not there".to_owned()),
            };
            result.map_err(|why| lacks.push(format!("{file}: {why}"))).is_ok()
        };
        let memory = set("memory", memory.to_string()).then_some(memory);
        let pids = set("pids", pids.to_string()).then_some(pids);
        let cpu = set("cpu", cpu.clone()).then_some(cpu);
        Self {
            path: Some(path.to_owned()),
            memory,
            pids,
            cpu,
            lack: (!lacks.is_empty()).then(|| lacks.join("; ")),
        }
    }
}

/// linux/magic.h: `TMPFS_MAGIC`, `RAMFS_MAGIC`.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// How long the disks are that the guest writes and that are memory of the host, which counts for whoever first writes there.
fn disks_in_memory(config: &VmConfig) -> u64 {
    let written = config.drives.iter().filter(|drive| !drive.is_read_only);
    let in_memory = written.filter_map(|drive| drive.path_on_host.as_deref()).filter(|path| {
        #[allow(clippy::unnecessary_cast, reason = "the C libraries have different types for it")]
        statfs(*path).is_ok_and(|system| IN_MEMORY.contains(&(system.f_type as i64)))
    });
    // What can't be looked at the VMM can't open.
    in_memory.map(|path| fs::metadata(path).map_or(0, |metadata| metadata.len())).sum()
}
