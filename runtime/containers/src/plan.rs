//! A plan: everything that is needed to run a container, in one JSON file.
//!
//! `bulkhead prepare` writes it, `bulkhead run --bundle` runs it, perhaps elsewhere: in the emulated host, where the
//! same paths lead to the same files. What only a run can know (its socket, its scratch disk) is added when it starts.

mod container;
mod vm;

use host::platform::Platform;
use protocol::{Process, Setting};
use serde::{Deserialize, Serialize};

use crate::network::NetworkPlan;

pub use container::ContainerPlan;
pub use vm::{BootSource, Drive, Entropy, MachineConfig, VmConfig, VmPlan, Vsock};

/// A prepared container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Plan {
    /// The VM.
    pub vm: VmPlan,
    /// The container in it.
    pub container: ContainerPlan,
}

/// A plan as its file has it: both halves in one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    platform: Platform,
    vm: VmConfig,
    setting: Setting,
    process: Process,
    console: bool,
    scratch: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid_base: Option<u32>,
    /// Plans of before there were networks have none.
    #[serde(default)]
    network: NetworkPlan,
}

impl From<Written> for Plan {
    fn from(written: Written) -> Self {
        let Written { platform, vm: config, setting, process, console, scratch, uid_base, network } =
            written;
        let vm = VmPlan { platform, config, console, scratch, uid_base };
        Self { vm, container: ContainerPlan { setting, process, network } }
    }
}

impl From<Plan> for Written {
    fn from(plan: Plan) -> Self {
        let VmPlan { platform, config: vm, console, scratch, uid_base } = plan.vm;
        let ContainerPlan { setting, process, network } = plan.container;
        Self { platform, vm, setting, process, console, scratch, uid_base, network }
    }
}
