//! The VMMs that are compared, and how each is told to run a guest.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::{Doing, Error};

/// The memory of every guest.
pub const MEMORY_MIB: u64 = 256;

/// A VMM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vmm {
    /// How to talk to it.
    pub kind: Kind,
    /// Its binary.
    pub path: PathBuf,
}

/// Which VMM it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Ours.
    Bulkhead,
    /// Takes our configuration file.
    Firecracker,
    /// The same without its seccomp filters, whose making is most of its own start.
    FirecrackerWithoutFilters,
    /// Takes all on its command line.
    CloudHypervisor,
}

impl Kind {
    /// The name to show, which for a peer is also the one that `--peer` takes.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Bulkhead => "bulkhead-vmm",
            Kind::Firecracker => "firecracker",
            Kind::FirecrackerWithoutFilters => "firecracker --no-seccomp",
            Kind::CloudHypervisor => "cloud-hypervisor",
        }
    }
}

/// What is measured beside ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Another VMM, beside `bulkhead-vmm`.
    Vmm(Vmm),
    /// What starts processes without a VM, beside `bulkhead run`.
    Runc(PathBuf),
}

/// Reads `NAME=PATH`.
pub fn parse_peer(argument: &str) -> Result<Peer, String> {
    const EXPECTED: &str = "expected firecracker=PATH, cloud-hypervisor=PATH or runc=PATH";
    let (name, path) = argument.split_once('=').ok_or(EXPECTED)?;
    let path = PathBuf::from(path);
    let vmm =
        |kind: Kind| (kind.name() == name).then(|| Peer::Vmm(Vmm { kind, path: path.clone() }));
    let peer = [Kind::Firecracker, Kind::CloudHypervisor].into_iter().find_map(vmm);
    peer.or_else(|| (name == "runc").then_some(Peer::Runc(path.clone()))).ok_or(EXPECTED.to_owned())
}

/// Likewise, of something that boots guests.
pub fn parse_vmm(argument: &str) -> Result<Vmm, String> {
    match parse_peer(argument)? {
        Peer::Vmm(vmm) => Ok(vmm),
        Peer::Runc(_) => Err("runc boots no guest".to_owned()),
    }
}

/// What to boot, with one processor and no device but the serial port, or a network interface beside it.
pub struct Guest {
    kernel: PathBuf,
    initramfs: Option<PathBuf>,
    arguments: String,
    /// The same in a file, as Firecracker and bulkhead-vmm read it.
    config_file: PathBuf,
    config: serde_json::Value,
}

impl Guest {
    /// A guest whose configuration is written to `config_file`.
    pub fn new(
        kernel: &Path,
        initramfs: Option<&Path>,
        arguments: &str,
        config_file: PathBuf,
    ) -> Result<Guest, Error> {
        let mut source = json!({ "kernel_image_path": kernel, "boot_args": arguments });
        if let Some(path) = initramfs {
            source["initrd_path"] = json!(path);
        }
        let config = json!({
            "boot-source": source,
            "machine-config": { "vcpu_count": 1, "mem_size_mib": MEMORY_MIB },
            "drives": [],
        });
        let initramfs = initramfs.map(Path::to_owned);
        let arguments = arguments.to_owned();
        let guest = Guest { kernel: kernel.into(), initramfs, arguments, config_file, config };
        guest.write_config()?;
        Ok(guest)
    }

    /// The same with a network interface, for those that read files.
    pub fn with_interface(mut self, interface: serde_json::Value) -> Result<Guest, Error> {
        self.config["network-interfaces"] = json!([interface]);
        self.write_config()?;
        Ok(self)
    }

    fn write_config(&self) -> Result<(), Error> {
        let Guest { config, config_file, .. } = self;
        std::fs::write(config_file, config.to_string())
            .doing(|| format!("write {}", config_file.display()))
    }
}

/// Copies a file into `folder` as `name`, for a measurement that would otherwise wait for files from outside; the copy's path.
pub fn copy(file: &Path, folder: &Path, name: &str) -> Result<PathBuf, Error> {
    let to = folder.join(name);
    std::fs::copy(file, &to).doing(|| format!("copy {}", file.display()))?;
    Ok(to)
}

impl Vmm {
    /// The same with a copy of its program in `folder`.
    pub fn copy(&self, folder: &Path) -> Result<Vmm, Error> {
        Ok(Vmm { path: copy(&self.path, folder, self.kind.name())?, kind: self.kind })
    }

    /// The command line that runs `guest`, its serial port on stdout.
    pub fn arguments(&self, guest: &Guest) -> Vec<std::ffi::OsString> {
        let mut command = Command::new(&self.path);
        match self.kind {
            Kind::Bulkhead => {
                command.arg("--config-file").arg(&guest.config_file).arg("--stats");
            }
            Kind::Firecracker | Kind::FirecrackerWithoutFilters => {
                command.arg("--no-api").arg("--config-file").arg(&guest.config_file);
                // Its log goes to stdout, into the middle of the guest's line.
                command.args(["--level", "Off"]);
                if self.kind == Kind::FirecrackerWithoutFilters {
                    command.arg("--no-seccomp");
                }
            }
            Kind::CloudHypervisor => {
                command.arg("--kernel").arg(&guest.kernel);
                command.args(["--cpus", "boot=1", "--serial", "tty", "--console", "off"]);
                command.args(["--memory", &format!("size={MEMORY_MIB}M")]);
                command.args(["--cmdline", &guest.arguments]);
                if let Some(path) = &guest.initramfs {
                    command.arg("--initramfs").arg(path);
                }
            }
        }
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(ToOwned::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_a_known_name_and_a_path() {
        let peer = parse_peer("firecracker=/a=b").unwrap();
        assert_eq!(peer, Peer::Vmm(Vmm { kind: Kind::Firecracker, path: "/a=b".into() }));
        assert_eq!(parse_peer("runc=/sbin/runc").unwrap(), Peer::Runc("/sbin/runc".into()));
        for wrong in ["firecracker", "qemu=/usr/bin/qemu", "bulkhead-vmm=/b"] {
            assert!(parse_peer(wrong).unwrap_err().contains("expected"), "{wrong}");
        }
    }
}
