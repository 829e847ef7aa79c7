//! The files of a container, running or not.

use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use protocol::ByteString;

use crate::error::CommandError;
use crate::foreground::folders;
use containers::container::Container;
use containers::supervisor::{Client, CopyVm, Request, SupervisorError};

/// The way to a container's files.
pub(in crate::commands) enum Files {
    /// By its supervisor.
    Running(Box<Container>),
    /// It does not run: in a VM for this purpose.
    Stopped(Box<CopyVm>),
}

impl Files {
    /// Starts a VM for those of a container that does not run.
    pub(in crate::commands) fn reach(
        container: Box<Container>,
        to_write: bool,
    ) -> Result<Self, CommandError> {
        Ok(match container.state()?.control {
            Some(_) => Self::Running(container),
            None => Self::Stopped(Box::new(CopyVm::start(&container, &folders()?, to_write)?)),
        })
    }

    /// Does something to them; what is written is on the disk afterwards.
    pub(in crate::commands) fn apply(
        self,
        work: impl FnOnce(&Self) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let result = work(&self);
        match (self, result) {
            (Self::Running(_), result) => result,
            (Self::Stopped(vm), Err(CommandError::Supervisor(SupervisorError::Guest(failure)))) => {
                Ok(vm.end(Some(failure))?)
            }
            (Self::Stopped(vm), result) => {
                let ended = vm.end(None);
                result.and(ended.map_err(CommandError::from))
            }
        }
    }

    /// Writes those at `path` to `to`, as a tar.
    pub(in crate::commands) fn take(
        &self,
        path: &Path,
        to: BorrowedFd<'_>,
    ) -> Result<(), CommandError> {
        let path = text(path);
        Ok(match self {
            Self::Stopped(vm) => vm.copy_out(path, to),
            Self::Running(container) => {
                Client::connect(container)?.request(&Request::CopyOut { path }, &[to])
            }
        }?)
    }

    /// Unpacks the tar `from` in the folder `path`.
    pub(in crate::commands) fn give(
        &self,
        path: &Path,
        from: BorrowedFd<'_>,
    ) -> Result<(), CommandError> {
        let path = text(path);
        Ok(match self {
            Self::Stopped(vm) => vm.copy_in(path, from),
            Self::Running(container) => {
                Client::connect(container)?.request(&Request::CopyIn { path }, &[from])
            }
        }?)
    }
}

fn text(path: &Path) -> ByteString {
    path.as_os_str().as_bytes().into()
}
