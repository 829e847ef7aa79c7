//! A VM for the files of a container that does not run.

use std::os::fd::BorrowedFd;

use protocol::{ByteString, ExitStatus};

use super::disk::{Disk, FAREWELL};
use super::error::SupervisorError;
use super::folders::Folders;
use crate::container::{Container, Tenure};
use crate::conversation::{Exit, Failure};
use crate::network::{Connection, NetworkPlan};
use crate::vm::Machine;

/// Its guest is up, and none of the container's processes runs in it. Nobody else has the container meanwhile.
pub struct CopyVm {
    machine: Machine,
    _disk: Disk,
    _tenure: Tenure,
}

impl CopyVm {
    /// Boots it. To leave something there, the container must have a disk that stays.
    pub fn start(
        container: &Container,
        folders: &Folders,
        to_write: bool,
    ) -> Result<Self, SupervisorError> {
        let tenure = container.tenure()?;
        let disk =
            if to_write { Disk::to_write(container)? } else { Disk::of(container, folders)? };
        if to_write && !disk.stays() {
            return Err(SupervisorError::ReadOnly);
        }
        let mut plan = container.config().plan.clone();
        // Nobody in it calls anybody.
        plan.container.network = NetworkPlan::default();
        let nothing = Connection::loopback(&plan.container.network);
        let machine = Machine::start(&plan, disk.path(), |_| Ok(nothing))?;
        Ok(Self { machine, _disk: disk, _tenure: tenure })
    }

    /// Writes a file or folder of the container to `archive`, as a tar.
    pub fn copy_out(&self, path: ByteString, to: BorrowedFd<'_>) -> Result<(), SupervisorError> {
        Ok(self.machine.guest().copy_out(path, to.try_clone_to_owned()?)?)
    }

    /// Unpacks the tar `archive` in a folder of the container.
    pub fn copy_in(&self, path: ByteString, from: BorrowedFd<'_>) -> Result<(), SupervisorError> {
        Ok(self.machine.guest().copy_in(path, from.try_clone_to_owned()?)?)
    }

    /// Lets the guest write everything to the disk, and ends the VM. After a `failure` of the guest, what is known of its reason is
    /// told.
    pub fn end(self, failure: Option<Failure>) -> Result<(), SupervisorError> {
        let nothing_ran = Exit { status: ExitStatus::Code(0), out_of_memory: false };
        self.machine.end(failure.map_or(Ok(nothing_ran), Err), FAREWELL)?;
        Ok(())
    }
}
