//! From flags to a plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::CommandError;
use crate::find::find;
use crate::flags::Flags;
use crate::limits::limits;
use crate::network::network;
use crate::process::{process, setting};
use containers::guest;
use containers::plan::{
    BootSource, ContainerPlan, Drive, Entropy, MachineConfig, Plan, VmConfig, VmPlan,
};
use host::cache::Cache;
use host::digest::Digest;
use host::platform::Platform;
use host::program::NoProgram;
use host::signal;
use images::image;
use images::registry::Options;
use images::store::Session;

/// What can be run now, and what the image says besides.
pub struct Prepared {
    /// What runs.
    pub plan: Plan,
    /// How many of its words are the entrypoint.
    pub entrypoint: usize,
    /// The signal that asks it to end.
    pub stop_signal: u8,
    /// What the image's maker notes about it.
    pub labels: BTreeMap<String, String>,
    /// The manifest of an image in the store, which stays there as long as the session lives.
    pub stored: Option<(Session, Digest)>,
}

/// Prepare everything that can be prepared before the VM starts, on whatever machine. `guest_init` finds the guest's
/// first program for a platform.
pub fn prepare(
    flags: &Flags,
    platform: Platform,
    guest_init: impl FnOnce(Platform) -> Result<PathBuf, NoProgram>,
) -> Result<Prepared, CommandError> {
    let missing = || CommandError::Usage("IMAGE is missing".to_owned());
    let image = flags.image().ok_or_else(missing)?;
    let limits = limits(|name| std::env::var(name).ok())?;
    let cache = Cache::open_default()?;
    // What is wrong with the flags or the image's description is said before anything large is unpacked.
    let kernel =
        guest::kernel(&cache, platform, flags.kernel.as_deref(), flags.modules.as_deref())?;
    let options = Options { platform, tls_verify: flags.tls_verify, quiet: flags.quiet, limits };
    let (image, stored) = find(&cache, image, flags.pull, &options)?;
    let (process, entrypoint) = process(flags, &image.config, |name| std::env::var_os(name))?;
    let setting = setting(flags)?;
    let network = network(flags, &image.config.exposed_ports)?;
    let initrd_path = match &flags.initramfs {
        Some(path) => absolute(path)?,
        None => guest::initramfs(&cache, &guest_init(platform)?, kernel.modules.as_deref())?,
    };
    let memory =
        guest::machine_memory(flags.memory, flags.cpus, platform, &kernel.image, &initrd_path)?;
    let disk = image::unpack(&cache, &image, limits)?;
    let config = VmConfig {
        boot_source: BootSource {
            boot_args: guest::command_line(platform, &kernel, flags.console),
            kernel_image_path: kernel.image,
            initrd_path,
        },
        drives: vec![Drive {
            drive_id: "image".to_owned(),
            parts: Some(disk.parts),
            path_on_host: None,
            is_root_device: false,
            is_read_only: true,
        }],
        machine_config: MachineConfig { vcpu_count: flags.cpus, mem_size_mib: memory >> 20 },
        vsock: None,
        network_interfaces: Vec::new(),
        entropy: Entropy {},
    };
    let Flags { console, scratch, uid_base, .. } = *flags;
    let vm = VmPlan { platform, config, console, scratch, uid_base };
    let plan = Plan { vm, container: ContainerPlan { setting, process, network } };
    let stop_signal = match image.config.stop_signal.as_str() {
        "" => libc::SIGTERM as u8,
        // As docker does with an image's that it does not know (moby `container.StopSignal`).
        text => signal::parse(text).unwrap_or_else(|why| {
            log::info!("image {}: StopSignal: {why}: it is TERM", image.name);
            libc::SIGTERM as u8
        }),
    };
    Ok(Prepared { plan, entrypoint, stop_signal, labels: image.config.labels, stored })
}

/// The VMM and a later run may start from another directory.
fn absolute(path: &Path) -> Result<PathBuf, CommandError> {
    let missing =
        |source| CommandError::Guest(guest::GuestError::Read { path: path.to_owned(), source });
    std::fs::canonicalize(path).map_err(missing)
}
