//! Running a plan: one VM, one process in it, and nothing left behind.
//!
//! ```text
//! bulkhead ──spawns──▶ bulkhead-vmm ──▶ guest: guest-init ──▶ the container's process
//!    │  ▲                   │ stdout: console        │
//!    │  └───────────────────┘                        │
//!    └── conversation: a Unix socket ◀───────────────┘ vsock
//! ```
//!
//! The VMM is two processes: the one that is spawned waits outside of the jail of the other, which is the VM. It gets
//! SIGTERM when this process dies, whatever the cause, and then stops its VM and removes the run's folder; this process
//! removes it too. What both of them leave when both are killed, the next run sweeps up.

mod cgroup;
mod error;
mod folder;
mod output;
mod progress;
mod scratch;
mod stderr;
pub mod user;
mod vmm;
mod watch;

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub use cgroup::Limits;
pub(crate) use cgroup::VmCgroup;
pub use error::VmError;
pub(crate) use folder::RunFolder;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
pub use scratch::mke2fs;
pub(crate) use scratch::{Scratch, keep};
pub(crate) use stderr::bound as bound_stderr;
use user::VmUser;
use vmm::{Place, Vmm};
use watch::watch;

use crate::conversation::{
    ConversationError, Exit, Failure, Guest, Reception, Running, Signals, Stdio,
};
use crate::network::{Connection, NetworkState, Owner, Reports};
use crate::plan::{Drive, Plan, Vsock};
use host::cache::{Cache, CacheError};

/// The guest's address (virtio 1.2 §5.10.4: 0 to 2 are taken). Each VM has a socket device of its own, so all can have
/// the same.
const GUEST_CID: u32 = 3;

/// How long a VM may take to end after its guest went away.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// A VM whose guest is expected, or in conversation. Dropped, it is killed.
pub(crate) struct Machine {
    guest: Guest,
    vmm: Vmm,
    connection: Connection,
    reports: Arc<Reports>,
    cgroup: Option<VmCgroup>,
    limits: Limits,
    _user: Option<VmUser>,
    _folder: RunFolder,
}

impl Machine {
    /// Starts the plan's VM, with `scratch` as its second disk and what `connect` makes, which may write down in this folder what
    /// others who want the same are to know.
    pub fn start(
        plan: &Plan,
        scratch: Option<PathBuf>,
        connect: impl FnOnce(&Path) -> Result<Connection, VmError>,
    ) -> Result<Self, VmError> {
        let folder = RunFolder::new()?;
        let mut connection = connect(folder.base())?;
        let user = VmUser::claim(plan.vm.uid_base, folder.path())?;
        let mut vm = plan.vm.config.clone();
        let sockets = folder.make_sockets()?;
        let socket = sockets.join("vsock");
        vm.vsock = Some(Vsock { guest_cid: GUEST_CID, uds_path: socket.clone() });
        vm.network_interfaces = connection.devices(plan.container.network.egress.as_ref());
        let reports = Reports::make(&mut vm.network_interfaces).map_err(VmError::Report)?;
        vm.drives.extend(scratch.map(|path| Drive {
            drive_id: "scratch".to_owned(),
            parts: None,
            path_on_host: Some(path),
            is_root_device: false,
            is_read_only: false,
        }));
        let reception = Reception::open(&socket)?;
        if let Some(user) = &user {
            user.let_in(&sockets, reception.path())?;
        }
        let (mut cgroup, mut limits) = VmCgroup::make(&vm, folder.name());
        let place = Place { user: user.as_ref(), cgroup: cgroup.as_ref() };
        let mut inherited = connection.descriptors();
        inherited.extend(reports.descriptors());
        let vmm = Vmm::start(&vm, folder.path(), plan.vm.console, &inherited, place)?;
        connection.handed_over();
        if let Some(empty) = cgroup.take_if(|cgroup| !cgroup.has(vmm.id())) {
            limits = empty.not_joined();
        }
        let (setting, network) = (plan.container.setting.clone(), connection.guest().clone());
        let guest = Guest::expect(reception, setting, network, vmm.pidfd())?;
        watch(&guest, &vmm).map_err(ConversationError::from)?;
        let reports = Arc::new(reports);
        Ok(Self { guest, vmm, connection, reports, cgroup, limits, _user: user, _folder: folder })
    }

    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// What it may use of its host.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What it has of a network.
    pub fn network(&self) -> &NetworkState {
        self.connection.state()
    }

    /// What its interfaces tell of themselves, also when it has ended.
    pub fn reports(&self) -> &Arc<Reports> {
        &self.reports
    }

    /// Its VMM's process.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.vmm.pidfd()
    }

    /// Ends the VM after its container ended so. Its guest may take the time of `farewell` to write what it has not written to
    /// its disk yet. What is known of a failure's reason is told.
    pub fn end(self, outcome: Result<Exit, Failure>, farewell: Duration) -> Result<Exit, VmError> {
        drop(self.guest);
        // The process has ended and its output is here. A guest that goes away on its own, in a panic say, ends its VM in a
        // moment, and that says more than we could.
        let patience = match outcome.as_ref().map_err(|failure| &**failure) {
            Err(ConversationError::VmEnded | ConversationError::GuestLeft) => LAST_MOMENT,
            Err(ConversationError::NotReady(_)) => Duration::ZERO,
            _ => farewell,
        };
        let ended = self.vmm.stop(patience);
        let is_full = || self.cgroup.as_ref().is_some_and(VmCgroup::was_out_of_memory);
        outcome.map_err(|failure| match ended.is_killed() && is_full() {
            true => VmError::OutOfMemory { limit: self.limits.memory },
            false => ended.explain(failure),
        })
    }
}

/// Run the container to its end; its exit status. What it writes to a disk goes into an unnamed file in the `cache`.
pub fn run(plan: Plan, cache: impl FnOnce() -> Result<Cache, CacheError>) -> Result<u8, VmError> {
    let new_scratch = |size| Scratch::new(&cache()?, size);
    let scratch = plan.vm.scratch.map(new_scratch).transpose()?;
    // From here on a signal is the container's, not ours.
    let signals = Signals::catch().map_err(VmError::Signals)?;
    let stdio = Stdio::inherit().map_err(VmError::Stdio)?;
    let connect = |records: &Path| {
        let owner = Owner { container: None, records };
        Ok(Connection::open(&plan.container.network, &[], owner)?)
    };
    let machine = Machine::start(&plan, scratch.as_ref().map(Scratch::path), connect)?;
    let guest = machine.guest().clone();
    let pass_on = |number| {
        // The window is not the container's.
        if i32::from(number) != libc::SIGWINCH {
            guest.signal(0, number);
        }
    };
    let outcome = with_signals(&signals, pass_on, || {
        guest.start(plan.container.process, None, stdio).and_then(Running::wait)
    })?;
    drop(guest);
    // Nothing in the VM is worth waiting for.
    Ok(machine.end(outcome, Duration::ZERO)?.status.exit_code())
}

/// Passes signals on while `work` runs.
pub(crate) fn with_signals<T>(
    signals: &Signals,
    pass_on: impl Fn(u8) + Sync,
    work: impl FnOnce() -> T,
) -> Result<T, VmError> {
    let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC)
        .map_err(|error| ConversationError::from(std::io::Error::from(error)))?;
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
                pass_on(number);
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
