//! The guest as PID 1 has it: the whole machine.

use std::os::fd::OwnedFd;
use std::path::Path;

use protocol::{ExitStatus, Start};
use rustix::process::Pid;

use crate::error::StartError;
use crate::log::log;
use crate::session::Guest;
use crate::{host_facts, modules, mounts, reaper, root, spawn, users};

/// Everything that this kernel runs belongs to one container.
pub struct Machine(());

impl Machine {
    /// Takes over from the kernel, up to where the host can be called.
    pub fn boot() -> Self {
        modules::load_all(Path::new(modules::FOLDER), modules::load);
        Self(())
    }

    /// Writes what is in memory to the scratch disk, whose journal makes an unmounted state of it, and ends the machine.
    pub fn power_off(self) {
        rustix::fs::sync();
        if let Err(error) = rustix::system::reboot(rustix::system::RebootCommand::PowerOff) {
            log(format_args!("power off: {error}"));
        }
    }
}

impl Guest for Machine {
    fn mount(&mut self) -> Result<(), StartError> {
        root::mount_devices()?;
        root::enter()?;
        rustix::process::umask(rustix::fs::Mode::empty());
        mounts::mount_all()?;
        mounts::make_devices()?;
        mounts::restrict()?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        if let Err(error) = host_facts::raise_loopback() {
            log(format_args!("network interface lo: {error}"));
        }
        Ok(())
    }

    fn start(&mut self, start: &Start, stdio: [OwnedFd; 3]) -> Result<Pid, StartError> {
        let process = &start.process;
        host_facts::set_clock(start.clock)?;
        host_facts::seed(&start.seed)?;
        host_facts::set_hostname(&process.hostname)?;
        let passwd = host_facts::read_database("/etc/passwd");
        let group = host_facts::read_database("/etc/group");
        let user = users::find(process.user.as_bytes(), &passwd, &group)?;
        spawn::make_working_directory(process)?;
        if process.read_only {
            root::make_read_only()?;
        }
        spawn::spawn(process, &user, stdio)
    }

    fn wait(&mut self, pid: Pid) -> ExitStatus {
        let status = reaper::wait_for(pid);
        reaper::end_everything();
        status
    }
}
