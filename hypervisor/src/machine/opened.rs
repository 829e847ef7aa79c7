//! What the configuration names, opened while this process still is whatever its user started: in a user namespace nobody
//! can tell any more who owns a file, or reach what another process has open; and in the jail no name means anything.

mod drive;

use std::fs::File;
use std::os::unix::net::UnixListener;

use devices::virtio::block::Disk;

use super::boot::shared;
use super::devices::{OpenedInterface, open_interface};
use crate::config::Config;
use crate::error::VmmError;
use crate::jail::Inherited;
use crate::vsock::{Listener, SocketName};

/// What [`Machine::build`](super::Machine::build) is given besides the configuration.
pub struct Opened {
    pub(super) kernel: KernelFile,
    pub(super) initrd: Option<File>,
    pub(super) disks: Vec<Box<dyn Disk>>,
    pub(super) interfaces: Vec<OpenedInterface>,
    listener: Option<Listener>,
}

/// The kernel, and whether its pages may be the guest's.
pub(super) struct KernelFile {
    pub(super) file: File,
    pub(super) may_be_mapped: bool,
}

impl Opened {
    /// Opens it, but for what was inherited.
    pub fn open(config: &Config, mut inherited: Inherited) -> Result<Opened, VmmError> {
        let path = &config.boot_source.kernel;
        let file = File::open(path).map_err(VmmError::file(path))?;
        let may_be_mapped = shared::may_be_mapped(&file, path).map_err(VmmError::file(path))?;
        let initrd = config.boot_source.initrd.as_ref();
        let initrd = initrd.map(|path| File::open(path).map_err(VmmError::file(path)));
        let interfaces = config.network.iter();
        let interfaces = interfaces.map(|interface| open_interface(interface, &mut inherited));
        let interfaces = interfaces.collect::<Result<_, _>>()?;
        let listener = config.vsock.as_ref().map(|vsock| Listener::bind(&vsock.uds_path));
        Ok(Opened {
            kernel: KernelFile { file, may_be_mapped },
            initrd: initrd.transpose()?,
            disks: config.drives.iter().map(drive::open).collect::<Result<_, _>>()?,
            interfaces,
            listener: listener.transpose()?,
        })
    }

    /// The name of the socket, for who removes it and has nothing to do with the machine.
    pub fn into_name(self) -> Option<SocketName> {
        self.listener.map(|listener| listener.into_parts().1)
    }

    /// The socket, whose name somebody else removes.
    pub(super) fn take_listener(&mut self) -> Option<UnixListener> {
        let (socket, name) = self.listener.take()?.into_parts();
        name.leave();
        Some(socket)
    }
}
