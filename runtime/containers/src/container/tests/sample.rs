//! A container to be.

use std::collections::BTreeMap;

use crate::container::{Config, Id, ImageName, LogOptions, RestartPolicy, now};
use crate::network::NetworkPlan;
use crate::plan::{BootSource, ContainerPlan, Entropy, MachineConfig, Plan, VmConfig, VmPlan};
use crate::testing::{process, setting};
use host::digest::Digest;
use host::platform::Platform;
use protocol::Process;

pub fn draft(name: &str) -> Config {
    let vm = VmPlan {
        platform: Platform::NATIVE,
        config: VmConfig {
            boot_source: BootSource {
                kernel_image_path: "/kernel".into(),
                initrd_path: "/initrd".into(),
                boot_args: String::new(),
            },
            drives: vec![],
            machine_config: MachineConfig { vcpu_count: 1, mem_size_mib: 64 },
            vsock: None,
            network_interfaces: vec![],
            entropy: Entropy {},
        },
        console: false,
        scratch: None,
        uid_base: None,
    };
    let container = ContainerPlan {
        setting: setting(),
        process: Process { seccomp: true, ..process(&["true"]) },
        network: NetworkPlan::default(),
    };
    Config {
        id: Id::random().unwrap(),
        name: name.to_owned(),
        created: now(),
        image: ImageName { name: "busybox".into(), manifest: Some(Digest::of(b"manifest")) },
        plan: Plan { vm, container },
        entrypoint: 0,
        terminal: false,
        stdin_open: false,
        auto_remove: false,
        restart: RestartPolicy::No,
        stop_signal: 15,
        stop_timeout: 10,
        labels: BTreeMap::new(),
        log: LogOptions::default(),
        networks: vec![],
    }
}
