//! Running a bundle: one VM, one process in it, and nothing left behind.
//!
//! ```text
//! bulkhead ──spawns──▶ bulkhead-vmm ──▶ guest: guest-init ──▶ the container's process
//!    │  ▲                   │ stdout: console        │
//!    │  └───────────────────┘                        │
//!    └── agent: a Unix socket in the run's folder ◀──┘ vsock
//! ```
//!
//! The VMM gets SIGTERM when this process dies, whatever the cause, and then stops its VM and removes the run's
//! folder; this process removes it too. What both of them leave when both are killed, the next run sweeps up.

mod error;
mod folder;
mod output;
mod scratch;
mod vmm;

use std::thread;
use std::time::Duration;

pub use error::VmError;
use folder::RunFolder;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use scratch::Scratch;
use vmm::Vmm;

use crate::agent::{AgentError, Guest, Reception, Running, Signals, Stdio};
use crate::bundle::{Bundle, Drive, Vsock};
use crate::cache::Cache;

/// The guest's address (virtio 1.2 §5.10.4: 0 to 2 are taken). Each VM has a socket device of its own, so all can have
/// the same.
const GUEST_CID: u32 = 3;

/// How long a VM may take to end after its guest went away.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// Run the container to its end; its exit status.
pub fn run(bundle: Bundle) -> Result<u8, VmError> {
    let folder = RunFolder::new()?;
    let mut vm = bundle.vm;
    let socket = folder.path().join("vsock");
    vm.vsock = Some(Vsock { guest_cid: GUEST_CID, uds_path: socket.clone() });
    let new_scratch = |size| Scratch::new(&Cache::open_default()?, size);
    let scratch = bundle.scratch.map(new_scratch).transpose()?;
    if let Some(scratch) = &scratch {
        vm.drives.push(Drive {
            drive_id: "scratch".to_owned(),
            parts: None,
            path_on_host: Some(scratch.path()),
            is_root_device: false,
            is_read_only: false,
        });
    }
    // From here on a signal is the container's, not ours.
    let signals = Signals::catch().map_err(VmError::Signals)?;
    let reception = Reception::open(&socket)?;
    let stdio = Stdio::inherit().map_err(VmError::Stdio)?;
    let vmm = Vmm::start(&vm, folder.path(), bundle.console)?;
    let guest = Guest::expect(reception, bundle.setting, vmm.pidfd())?;
    let outcome = with_signals(&signals, &guest, || {
        guest.start(bundle.process, None, stdio).and_then(Running::wait)
    })?;
    drop(guest);
    // The process has ended and its output is here: nothing in the VM is worth waiting for. But a guest that goes away
    // on its own, in a panic say, ends its VM in a moment, and that says more than we could.
    let patience = match outcome.as_ref().map_err(|failure| &**failure) {
        Err(AgentError::VmEnded | AgentError::GuestLeft) => LAST_MOMENT,
        _ => Duration::ZERO,
    };
    let ended = vmm.stop(patience);
    match outcome {
        Ok(exit) => Ok(exit.status.exit_code()),
        Err(failure) => Err(ended.explain(failure)),
    }
}

/// Passes signals on to the container's first process while `work` runs.
fn with_signals<T>(
    signals: &Signals,
    guest: &Guest,
    work: impl FnOnce() -> T,
) -> Result<T, VmError> {
    let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC)
        .map_err(|error| AgentError::from(std::io::Error::from(error)))?;
    let forward = || {
        loop {
            let mut fds =
                [PollFd::new(signals, PollFlags::IN), PollFd::new(&stopped, PollFlags::IN)];
            // Interrupted by the very signal that then is in the pipe.
            let _ = poll(&mut fds, None);
            if !fds[1].revents().is_empty() {
                return;
            }
            while let Ok(Some(number)) = signals.next() {
                guest.signal(0, number);
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(forward);
        let result = work();
        drop(stop);
        Ok(result)
    })
}
