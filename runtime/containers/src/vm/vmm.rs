//! The VMM as a child process.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::cgroup::VmCgroup;
use super::error::VmError;
use super::output::{LOG_ID, console, last_lines, messages, reason};
use super::user::VmUser;
use crate::conversation::{ConversationError, Failure};
use crate::plan::VmConfig;
use host::child::{join_cgroup, spawn_bound};
use host::kvm::Kvm;
use host::program;

/// The VMM's program.
const PROGRAM: &str = "bulkhead-vmm";

/// The VMM's status when its filters refused a system call: as if it had been killed.
const REFUSED: i32 = 128 + libc::SIGKILL;

/// How long an orderly stop may take, before it is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running VM. Dropped without [`Vmm::stop`], it is killed.
pub struct Vmm {
    child: Child,
    pidfd: OwnedFd,
    console: Option<JoinHandle<Vec<u8>>>,
    messages: Option<JoinHandle<Option<String>>>,
}

/// Whose process it is, and in which cgroup.
#[derive(Clone, Copy, Default)]
pub struct Place<'a> {
    /// As root: a user of its own.
    pub user: Option<&'a VmUser>,
    /// As far as its limits can be set.
    pub cgroup: Option<&'a VmCgroup>,
}

/// How the VMM ended, and what it had to say.
pub struct Ended {
    status: Option<ExitStatus>,
    console: Vec<u8>,
    /// Its last message, if that says why it ended.
    reason: Option<String>,
    /// It did not have to be told to.
    by_itself: bool,
}

impl Vmm {
    /// Start a VM whose files are in `folder`; its console goes to stderr if `show_console`. It gets the descriptors that are
    /// to be `inherited`.
    pub fn start(
        config: &VmConfig,
        folder: &Path,
        show_console: bool,
        inherited: &[BorrowedFd<'_>],
        place: Place<'_>,
    ) -> Result<Self, VmError> {
        let program = program::find(PROGRAM)?;
        let config_file = folder.join("vm.json");
        let failed = |source| VmError::Config { path: config_file.clone(), source };
        let text = serde_json::to_vec(config).map_err(|error| failed(error.into()))?;
        fs::write(&config_file, text).map_err(failed)?;

        let mut command = Command::new(&program);
        command
            .args(["--no-api", "--id", LOG_ID])
            .arg("--config-file")
            .arg(&config_file)
            .arg("--runtime-dir")
            .arg(folder);
        if let Some(user) = place.user {
            command.arg("--uid").arg(user.number().to_string());
        }
        if let Some(processes) = place.cgroup.and_then(|cgroup| cgroup.processes().ok()) {
            join_cgroup(&mut command, processes);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |source| VmError::Spawn { path: program.clone(), source };
        let mut child = spawn_bound(&mut command, inherited, Signal::TERM).map_err(failed)?;
        let console = child.stdout.take().map(|output| console(output, show_console));
        let messages = child.stderr.take().map(messages);
        let pid = Pid::from_child(&child);
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self { child, pidfd, console, messages }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(failed(error.into()))
            }
        }
    }

    /// Becomes readable when the VMM ends.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// The number of the process that waits outside of the VM's.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stop the VM, unless it ends by itself within `patience`, and take what it left.
    pub fn stop(mut self, patience: Duration) -> Ended {
        let ended = self.wait_for(patience);
        if !ended {
            let _ = pidfd_send_signal(&self.pidfd, Signal::TERM);
            if !self.wait_for(PATIENCE) {
                let _ = self.child.kill();
            }
        }
        let status = self.child.wait().ok();
        let console = self.console.take().and_then(|thread| thread.join().ok());
        let messages = self.messages.take().and_then(|thread| thread.join().ok());
        Ended {
            status,
            console: console.unwrap_or_default(),
            reason: reason(messages.flatten(), status.and_then(|status| status.code())),
            by_itself: ended,
        }
    }

    /// Whether the VMM ends within this time.
    fn wait_for(&self, time: Duration) -> bool {
        let timeout =
            Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
        loop {
            match poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], Some(&timeout)) {
                Err(rustix::io::Errno::INTR) => {}
                Ok(0) | Err(_) => return false,
                Ok(_) => return true,
            }
        }
    }
}

impl Drop for Vmm {
    fn drop(&mut self) {
        // After `stop` the child has been waited for, and this does nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Whether somebody else's SIGKILL was its end.
    pub fn is_killed(&self) -> bool {
        let signal = self.status.and_then(|status| status.signal());
        self.by_itself && signal == Some(libc::SIGKILL)
    }

    /// The best reason for a failed run: what the VMM said, else what the guest said last, else what the conversation saw.
    pub fn explain(self, seen: Failure) -> VmError {
        if let ConversationError::NotReady(why) = &*seen {
            let tail = last_lines(&self.console).map_or_else(
                || "its console is empty".to_owned(),
                |tail| format!("its console ends with: {tail}"),
            );
            return VmError::NotReady { why: why.clone(), tail };
        }
        let vm_is_gone = matches!(*seen, ConversationError::VmEnded | ConversationError::GuestLeft);
        if !vm_is_gone {
            return seen.into();
        }
        let status = self.status.and_then(|status| status.code());
        // Where KVM failed, or nobody knows what did, KVM is looked at. What the VMM finds wrong with a kernel, say, is not KVM's fault.
        let kvm_may_be_why = self.reason.as_deref().is_none_or(|reason| reason.contains("KVM"));
        if let (true, Some(0 | 1)) = (kvm_may_be_why, status)
            && let Some(why) = lack()
        {
            return VmError::Kvm { why };
        }
        if let Some(message) = self.reason {
            let status = match status {
                Some(2) => 2,
                Some(REFUSED) => REFUSED as u8,
                _ => 1,
            };
            return VmError::Vmm { message, status };
        }
        if let (true, Some(signal)) =
            (self.by_itself, self.status.and_then(|status| status.signal()))
        {
            return VmError::Vmm {
                message: of_signal(signal),
                // As if it had been the container's process.
                status: match signal {
                    libc::SIGSYS => REFUSED as u8,
                    _ => protocol::ExitStatus::Signal(signal as u8).exit_code(),
                },
            };
        }
        match last_lines(&self.console) {
            Some(tail) => VmError::Guest { tail },
            None => seen.into(),
        }
    }
}

fn of_signal(signal: i32) -> String {
    match signal {
        // A filter answers some calls so, and nobody is left to say which.
        libc::SIGSYS => {
            format!("{PROGRAM} was killed: it made a system call that its filters forbid")
        }
        _ => format!("{PROGRAM} was killed by signal {signal}"),
    }
}

/// Why this machine's KVM can't run Linux, if that is so.
fn lack() -> Option<String> {
    kvm()?.lack().map(str::to_owned)
}

/// What this machine's KVM can run, as far as that can be found out.
pub fn kvm() -> Option<Kvm> {
    Kvm::probe(&program::find(PROGRAM).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a VM that ended so, and the status.
    fn explained(status: i32, said: Option<&str>) -> (String, u8) {
        let status = ExitStatus::from_raw(status);
        let reason = reason(said.map(str::to_owned), status.code());
        let ended = Ended { status: Some(status), console: Vec::new(), reason, by_itself: true };
        let error = ended.explain(ConversationError::VmEnded.into());
        (error.to_string(), error.exit_status())
    }

    #[test]
    fn a_refused_system_call_is_told_and_looks_like_a_kill() {
        let said = "system call 59 (execve) in thread vcpu was refused";
        assert_eq!(explained(137 << 8, Some(said)), (said.to_owned(), 137));
        let killed = "bulkhead-vmm was killed: it made a system call that its filters forbid";
        assert_eq!(explained(libc::SIGSYS, None), (killed.to_owned(), 137));
        assert_eq!(explained(9, None), ("bulkhead-vmm was killed by signal 9".to_owned(), 137));
        assert_eq!(explained(1 << 8, Some("kernel x: bad")), ("kernel x: bad".to_owned(), 1));
    }
}
