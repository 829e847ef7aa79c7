//! A container's life: started, ended, perhaps started again.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::{ExitStatus, TerminalSize};

use super::descriptors::raise_limit;
use super::disk::{Disk, FAREWELL};
use super::error::SupervisorError;
use super::folders::Folders;
use super::lifecycle::{KILL, Lifecycle};
use super::output::Output;
use super::serve::Server;
use super::socket;
use crate::container::log;
use crate::container::{Container, RestartPolicy, State, Status, now};
use crate::conversation::{Exit, Running, Signals, Stdio, Streams};
use crate::network::{Connection, NetworkMode, Owner};
use crate::network_names;
use crate::vm::{Machine, VmError, with_signals};
use host::terminal;
use host::text::in_one_line;

/// The first pause before a restart; each next one is twice as long.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// And the longest.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// Who ran this long is not failing at once, and is restarted after the first pause again.
const STABLE: Duration = Duration::from_secs(10);

/// This process's container.
pub struct Supervisor {
    container: Container,
    folders: Folders,
    lifecycle: Arc<Lifecycle>,
    server: Server,
}

/// Who ran the container in the foreground.
pub struct Foreground {
    /// His streams.
    pub stdio: Stdio,
    /// The size of his terminal, when the container gets one.
    pub size: Option<TerminalSize>,
    /// What he is sent, the container gets.
    pub signals: Signals,
}

/// How often it was started again, and the pause before the next time.
struct Restarts {
    count: u32,
    delay: Duration,
}

/// How one run ended.
struct RunEnd {
    result: Result<Exit, VmError>,
    status: u8,
    out_of_memory: bool,
    error: Option<String>,
}

impl RunEnd {
    fn of(result: Result<Exit, VmError>, is_killed: bool) -> Self {
        let error = result.as_ref().err().map(|error| in_one_line(error));
        let result = match result {
            // Whatever became of its VM meanwhile.
            Err(_) if is_killed => {
                Ok(Exit { status: ExitStatus::Signal(KILL), out_of_memory: false })
            }
            result => result,
        };
        let (status, out_of_memory) = match &result {
            Ok(exit) => (exit.status.exit_code(), exit.out_of_memory),
            Err(error) => (error.exit_status(), matches!(error, VmError::OutOfMemory { .. })),
        };
        Self { result, status, out_of_memory, error }
    }

    fn note(&self, state: &mut State) {
        state.finished_at = Some(now());
        state.exit_code = self.status;
        state.out_of_memory = self.out_of_memory;
        state.error.clone_from(&self.error);
    }
}

impl Supervisor {
    /// Takes the container, unless another process has it.
    pub fn new(container: Container, folders: Folders) -> Result<Self, SupervisorError> {
        let tenure = container.tenure()?;
        // Its networks may have changed since it was read.
        let container = container.read_again()?;
        raise_limit();
        let (listener, address) = socket::listen().map_err(SupervisorError::Listen)?;
        let mut state = container.state()?;
        state.supervisor = Some(std::process::id());
        state.control = Some(address);
        state.restart_count = 0;
        let config = container.config();
        let output = Output::new(log::Writer::open(&container.log_path(), config.log)?)?;
        let stop_signal = config.stop_signal;
        let lifecycle = Arc::new(Lifecycle::new(tenure, state, output));
        let server = Server::start(listener, Arc::clone(&lifecycle), stop_signal)?;
        // From now on it can be stopped; and killed before it is up, it was started all the same.
        lifecycle.record(|_| ())?;
        Ok(Self { container, folders, lifecycle, server })
    }

    /// Lives through the container's life. `started` is called when it runs for the first time. Returns how it ended the
    /// last time; an error when it could not be started, or its VM failed.
    pub fn run(
        self,
        foreground: Option<Foreground>,
        started: impl FnOnce(),
    ) -> Result<Exit, SupervisorError> {
        let result = match foreground {
            None => self.run_to_the_last_end(None, None, started),
            Some(Foreground { stdio, size, signals }) => {
                let Stdio { stdin, stdout, stderr } = stdio;
                self.lifecycle.output.attach(stdout, stderr, true);
                let lifecycle = Arc::clone(&self.lifecycle);
                let pass_on = |number| match i32::from(number) {
                    libc::SIGWINCH => lifecycle.resize(),
                    // Whoever sits before it wants no restart after his Ctrl-C.
                    _ => drop(lifecycle.signal(number, true)),
                };
                let run = || self.run_to_the_last_end(stdin, size, started);
                with_signals(&signals, pass_on, run)?
            }
        };
        self.server.finish();
        result
    }

    /// Runs it again and again, until it is not to be started any more.
    fn run_to_the_last_end(
        &self,
        stdin: Option<OwnedFd>,
        size: Option<TerminalSize>,
        started: impl FnOnce(),
    ) -> Result<Exit, SupervisorError> {
        let mut started = Some(started);
        let mut restarts = Restarts { count: 0, delay: FIRST_DELAY };
        loop {
            let start = Instant::now();
            let stdin = stdin.as_ref().map(OwnedFd::try_clone).transpose()?;
            let result = self.run_once(stdin, size, || {
                if let Some(started) = started.take() {
                    started();
                }
            });
            self.keep_reports();
            let was_started = started.is_none();
            let end = RunEnd::of(result, was_started && self.lifecycle.is_killed());
            self.lifecycle.output.detach_all();
            if start.elapsed() >= STABLE {
                restarts.delay = FIRST_DELAY;
            }
            if !(was_started && self.is_to_run_again(&end, &mut restarts)?) {
                self.write_down_the_last_end(&end)?;
                return end.result.map_err(Into::into);
            }
        }
    }

    /// Whether it is started again after this end: by its policy, and after a pause in which nobody wants it ended.
    fn is_to_run_again(
        &self,
        end: &RunEnd,
        restarts: &mut Restarts,
    ) -> Result<bool, SupervisorError> {
        let wanted = match self.container.config().restart {
            RestartPolicy::No => false,
            RestartPolicy::OnFailure { max } => {
                end.status != 0 && max.is_none_or(|max| restarts.count < max)
            }
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        };
        if !wanted || self.lifecycle.is_stopping() {
            return Ok(false);
        }
        if let Some(error) = &end.error {
            // Its next life has none, and nobody else tells of it.
            ::log::warn!("{error}: it is started again");
        }
        self.lifecycle.record(|state| {
            end.note(state);
            state.status = Status::Restarting;
        })?;
        self.lifecycle.ended(end.status);
        if !self.lifecycle.may_restart_after(restarts.delay) {
            return Ok(false);
        }
        restarts.delay = LONGEST_DELAY.min(restarts.delay * 2);
        restarts.count += 1;
        self.lifecycle.record(|state| state.restart_count = restarts.count)?;
        Ok(true)
    }

    /// It has ended for good: gives it back, or removes it, and lets everybody know.
    fn write_down_the_last_end(&self, end: &RunEnd) -> Result<(), SupervisorError> {
        let tenure = self.lifecycle.finish(|state| {
            end.note(state);
            state.status = Status::Exited;
            (state.supervisor, state.control) = (None, None);
        });
        if let Some((mut tenure, state)) = tenure {
            if self.container.config().auto_remove {
                tenure.set(&state)?;
                self.folders.containers.remove(&self.container, tenure)?;
            } else {
                self.container.give_back(tenure, &state)?;
            }
        }
        self.lifecycle.over(end.status);
        Ok(())
    }

    /// One run, in a VM of its own.
    fn run_once(
        &self,
        stdin: Option<OwnedFd>,
        size: Option<TerminalSize>,
        started: impl FnOnce(),
    ) -> Result<Exit, VmError> {
        let config = self.container.config();
        let disk = Disk::of(&self.container, &self.folders)?;
        let io = VmError::Stdio;
        let stdin = match (stdin, config.stdin_open) {
            (Some(own), _) => Some(own),
            (None, true) => Some(self.lifecycle.input.open().map_err(io)?),
            (None, false) => None,
        };
        let ([stdout, stderr], output) = self.lifecycle.output.open();
        let streams = Streams { stdin, stdout: Box::new(stdout), stderr: Box::new(stderr) };
        let connect = |records: &Path| self.connect(records);
        let machine = Machine::start(&config.plan, disk.path(), connect)?;
        // Those of an earlier life count no longer.
        self.container.forget_interfaces();
        self.lifecycle.set_reports(machine.reports());
        self.lifecycle.entered(machine.guest(), machine.pidfd())?;
        let terminal = config.terminal.then(|| size.unwrap_or(terminal::UNSEEN));
        let process = config.plan.container.process.clone();
        let outcome = machine.guest().start(process, terminal, streams).and_then(|running| {
            self.is_up(&machine);
            started();
            Running::wait(running)
        });
        let farewell = if disk.stays() { FAREWELL } else { Duration::ZERO };
        if outcome.is_ok() {
            output.wait();
            self.lifecycle.leaving();
            return machine.end(outcome, farewell);
        }
        // A guest that has lost its mind may never end its streams: its VM's end does.
        let result = machine.end(outcome, farewell);
        output.wait();
        self.lifecycle.leaving();
        result
    }

    /// What its plan asks for, with the addresses and ports of last time.
    fn connect(&self, records: &Path) -> Result<Connection, VmError> {
        let (config, before) = (self.container.config(), self.lifecycle.network());
        let owner = Owner { container: Some(&config.name), records };
        let plan = &config.plan.container.network;
        if plan.mode != NetworkMode::Names {
            return Ok(Connection::open(plan, &before.ports, owner)?);
        }
        let networks = self.folders.networks()?;
        Ok(network_names::connect(&networks, &self.folders.containers, config, &before, owner)?)
    }

    /// Its VM has ended: what its interfaces told last is for those who ask later.
    fn keep_reports(&self) {
        let kept = self.container.keep_interfaces(&self.lifecycle.reports().read());
        if let Err(error) = kept {
            ::log::warn!("{}", in_one_line(&error));
        }
    }

    fn is_up(&self, machine: &Machine) {
        let recorded = self.lifecycle.record(|state| {
            state.status = Status::Running;
            state.started_at = Some(now());
            state.finished_at = None;
            state.error = None;
            state.limits.clone_from(machine.limits());
            state.network.clone_from(machine.network());
        });
        if let Err(error) = recorded {
            // It runs all the same.
            ::log::warn!("{}", in_one_line(&error));
        }
    }
}
