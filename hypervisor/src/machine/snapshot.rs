//! A machine into a snapshot, and out of one.

use std::fs::File;

use devices::GuestMemory;
use rustix::fs::{FileType, Stat, fstat};

use super::Machine;
use super::opened::SnapshotFiles;
use crate::config::{Config, HugePages};
use crate::error::VmmError;
use crate::memory::{self, MemoryError};
use crate::native;
use crate::snapshot::{RestoreError, Snapshot};
use crate::vcpu::Vcpu;

/// Puts the memory of a snapshot in the place of the machine's.
pub fn map_memory(
    config: &Config,
    memory: &GuestMemory,
    files: &SnapshotFiles,
) -> Result<(), VmmError> {
    if config.machine.huge_pages != HugePages::None {
        return Err(RestoreError::HugePages.into());
    }
    let found = files.memory.metadata().map_err(VmmError::system("--restore-memory"))?.len();
    let expected = memory::snapshot::length(memory);
    if found != expected {
        return Err(RestoreError::Memory { found, expected }.into());
    }
    let failed = |error| MemoryError::Restore { error };
    Ok(memory::snapshot::map(memory, &files.memory).map_err(failed)?)
}

impl Machine {
    /// Puts the machine into the state of the snapshot that it was made from, if it was. All of it is read and compared with
    /// the machine and the host before anything is changed; what does not take its part ends the machine before it runs.
    pub fn restore(&mut self) -> Result<(), VmmError> {
        let Some((file, saver)) = self.state.take().zip(self.saver.as_ref()) else {
            return Ok(());
        };
        let snapshot = Snapshot::read(&file).map_err(RestoreError::from)?;
        saver.host.check(&snapshot.host)?;
        let memory = memory::snapshot::length(self.vm.memory());
        RestoreError::unless_same("memory in bytes", snapshot.memory, memory)?;
        RestoreError::unless_same("number of vCPUs", snapshot.vcpus.len(), self.vcpus.len())?;
        let state = (&snapshot.vm, &*snapshot.vcpus);
        native::state::restore(self.vm.fd(), &self.vcpus, &self.interrupt_controller, state)?;
        // Behind the interrupt controller, which takes their interrupts.
        self.platform.restore(&snapshot.fixed)?;
        Ok(self.devices.restore(&snapshot.devices)?)
    }

    /// Writes the machine, which stands still, to these files: the state, and the memory.
    pub(super) fn save(&self, vcpus: &[Vcpu], files: &[File; 2]) -> Result<(), String> {
        let Some(saver) = &self.saver else { return Err("this VM can't be saved".to_owned()) };
        let [state, memory] = files;
        for (what, file) in [("state", state), ("memory", memory)] {
            // This VM's own memory, or another's, may be mapped from what is in it.
            let is_empty =
                |stat: Stat| stat.st_size == 0 && FileType::from_raw_mode(stat.st_mode).is_file();
            if !fstat(file).is_ok_and(is_empty) {
                return Err(format!("{what}: expected an empty file"));
            }
        }
        let text = |error: &dyn std::fmt::Display| error.to_string();
        // The devices first: one may still send an interrupt, which is then in the state of the interrupt controller.
        let devices = self.devices.save().map_err(|error| text(&error))?;
        let fixed = self.platform.save();
        let vcpus = vcpus.iter().map(|vcpu| saver.vcpu(&vcpu.fd)).collect::<Result<Vec<_>, _>>();
        let vcpus = vcpus.map_err(|error| text(&error))?;
        let vm = saver.vm(self.vm.fd(), &self.interrupt_controller, &vcpus);
        let snapshot = Snapshot {
            host: saver.host.clone(),
            memory: memory::snapshot::length(self.vm.memory()),
            vm: vm.map_err(|error| text(&error))?,
            vcpus,
            fixed,
            devices,
        };
        let written = memory::snapshot::save(self.vm.memory(), memory);
        written.map_err(|error| format!("memory: cannot write it: {error}"))?;
        // Last: where there is a whole one, the memory beside it is whole.
        snapshot.write(state).map_err(|error| format!("state: {error}"))
    }
}
