//! One VMM from its start to its end, and the host's side of it: who reads, types, calls, and asks it to end.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use ::host::child::{child_of, spawn_bound};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::patience::{PERIOD, Patience};
use super::place::Place;
use super::round::{Moment, Reading, Round};
use super::threads;
use crate::error::{Doing, Error};
use crate::host::Activity;

/// The smallest pipe there is: a guest that writes soon waits for its reader.
const PIPE: usize = 4096;

/// The name of a VM's process.
const VMM: &str = "bulkhead-vmm";

/// How a round ended.
pub enum End {
    /// By itself.
    Ended {
        /// The VMM's.
        status: ExitStatus,
        /// What was read of the guest.
        output: Vec<u8>,
        /// To its end.
        is_whole: bool,
    },
    /// It had to be killed; what its threads did before.
    Lost(String),
}

/// A VMM that runs.
pub struct Session<'a> {
    round: &'a Round,
    place: &'a Place,
    child: Child,
    process: OwnedFd,
    stdout: Option<File>,
    stdin: Option<ChildStdin>,
    output: Vec<u8>,
    /// There was output, read or not.
    has_spoken: bool,
    /// All of it was read.
    has_ended: bool,
    /// When the next piece is read.
    read_at: Instant,
    /// When it is asked to end.
    ask_at: Option<Instant>,
    left_to_type: usize,
    callers: Vec<UnixStream>,
    /// The VM's own process, when it was asked to end.
    vm: Option<OwnedFd>,
    patience: Patience,
    look_at: Instant,
}

impl<'a> Session<'a> {
    /// Starts it.
    pub fn start(round: &'a Round, place: &'a Place) -> Result<Session<'a>, Error> {
        let doing = || format!("start {}", place.vmm.display());
        let (stdout, writer) = pipe_with(PipeFlags::CLOEXEC).doing(doing)?;
        fcntl_setpipe_size(&stdout, PIPE).doing(doing)?;
        let stdin = if round.typed > 0 { Stdio::piped() } else { Stdio::null() };
        let mut command = Command::new(&place.vmm);
        command.arg("--no-api").arg("--config-file").arg(place.config());
        command.arg("--runtime-dir").arg(place.runtime());
        command.stdin(stdin).stdout(writer).stderr(place.new_stderr()?);
        let mut child = spawn_bound(&mut command, &[], Signal::TERM).doing(doing)?;
        // Closes this program's end of what the VMM writes to.
        drop(command);
        let began = Instant::now();
        let pid = Pid::from_child(&child);
        let process = pidfd_open(pid, PidfdFlags::empty()).doing(doing)?;
        let stdin = child.stdin.take();
        if let Some(stdin) = &stdin {
            fcntl_setfl(stdin, OFlags::NONBLOCK).doing(doing)?;
        }
        let ask_at = match round.ask {
            Some((_, Moment::Start(delay))) => Some(began + delay),
            _ => None,
        };
        Ok(Session {
            round,
            place,
            child,
            process,
            stdout: Some(File::from(stdout)),
            stdin,
            output: Vec::new(),
            has_spoken: false,
            has_ended: false,
            read_at: began,
            ask_at,
            left_to_type: round.typed as usize,
            callers: Vec::new(),
            vm: None,
            patience: Patience::new(Activity::of(pid).doing(doing)?),
            look_at: began + PERIOD,
        })
    }

    /// Until it ends.
    pub fn run(mut self) -> Result<End, Error> {
        while !self.wait()? {
            let now = Instant::now();
            if self.ask_at.is_some_and(|at| at <= now) {
                self.ask()?;
            }
            if self.look_at <= now {
                self.look_at = now + PERIOD;
                if self.patience.is_at_an_end(self.activity()?) {
                    return self.lose();
                }
            }
        }
        let status = self.child.wait().doing(|| "wait for a VMM".into())?;
        if let Some(vm) = &self.vm {
            // When the process that was started is killed the VM's own takes a moment to end, and has the disk until then.
            let ended = poll(&mut [PollFd::new(vm, PollFlags::IN)], None);
            ended.doing(|| "wait for a VM's process".into())?;
        }
        if let Some(mut stdout) =
            self.stdout.take().filter(|_| self.round.reading != Reading::Never)
        {
            let doing = || "read the bare guest's output".to_owned();
            stdout.read_to_end(&mut self.output).doing(doing)?;
            return Ok(End::Ended { status, output: self.output, is_whole: true });
        }
        Ok(End::Ended { status, output: self.output, is_whole: false })
    }

    /// Waits for one thing to happen, and does what it takes. Whether the process has ended.
    fn wait(&mut self) -> Result<bool, Error> {
        let now = Instant::now();
        let is_left = self.has_spoken && self.round.reading == Reading::Never;
        let is_due = !is_left && !self.has_ended && self.read_at <= now;
        let reads = self.stdout.as_ref().filter(|_| is_due);
        let types = self.stdin.as_ref().filter(|_| self.has_spoken && self.left_to_type > 0);
        let mut fds = vec![PollFd::new(&self.process, PollFlags::IN)];
        fds.extend(reads.map(|stdout| PollFd::new(stdout, PollFlags::IN)));
        fds.extend(types.map(|stdin| PollFd::new(stdin, PollFlags::OUT)));
        let read_at = Some(self.read_at).filter(|at| *at > now);
        let next = [self.ask_at, read_at];
        let next = next.into_iter().flatten().fold(self.look_at, Instant::min);
        let doing = || "wait for a VMM".to_owned();
        let time = next.saturating_duration_since(now);
        let time = Timespec::try_from(time).map_err(std::io::Error::other).doing(doing)?;
        match poll(&mut fds, Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).doing(doing),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let (reads, types) = (reads.is_some(), types.is_some());
        // What it wrote before its end is read as it would be without that.
        if reads && ready[1] {
            self.read()?;
        } else if ready[0] {
            return Ok(true);
        }
        if types && ready[ready.len() - 1] {
            self.type_on();
        }
        Ok(false)
    }

    fn read(&mut self) -> Result<(), Error> {
        if !std::mem::replace(&mut self.has_spoken, true) {
            self.spoke();
        }
        let (most, pause) = match self.round.reading {
            Reading::AtOnce => (PIPE, Duration::ZERO),
            Reading::Slowly(bytes, pause) => (bytes, pause),
            Reading::Closed(bytes) => (bytes - self.output.len(), Duration::ZERO),
            Reading::Never => return Ok(()),
        };
        let Some(stdout) = &mut self.stdout else { return Ok(()) };
        let mut buffer = [0; PIPE];
        let length = match most.min(PIPE) {
            0 => 0,
            most => {
                let doing = || "read the bare guest's output".to_owned();
                stdout.read(&mut buffer[..most]).doing(doing)?
            }
        };
        self.output.extend_from_slice(&buffer[..length]);
        if !pause.is_zero() {
            self.read_at = Instant::now() + pause;
        }
        match self.round.reading {
            Reading::Closed(bytes) if self.output.len() >= bytes => self.stdout = None,
            // The end of the process follows.
            _ if length == 0 => {
                self.has_ended = true;
                return Ok(());
            }
            _ => {}
        }
        self.be_patient()
    }

    /// The first byte of output is there.
    fn spoke(&mut self) {
        if let Some((_, Moment::Output(delay))) = self.round.ask {
            self.ask_at = Some(Instant::now() + delay);
        }
        for number in 0..self.round.calls {
            // Who calls a VMM that ends meanwhile finds nobody.
            let Ok(mut caller) = UnixStream::connect(self.place.vsock()) else { break };
            if writeln!(caller, "CONNECT {}", 1000 + number).is_ok() && number % 2 == 0 {
                self.callers.push(caller);
            }
        }
    }

    fn type_on(&mut self) {
        let Some(stdin) = &mut self.stdin else { return };
        let piece = self.left_to_type.min(7);
        match stdin.write(&b"typed ~"[..piece]) {
            Ok(length) => self.left_to_type -= length,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            // Nobody listens any more.
            Err(_) => self.stdin = None,
        }
    }

    fn ask(&mut self) -> Result<(), Error> {
        self.ask_at = None;
        // So early that there is none yet, there is none to wait for.
        self.vm = self.vm_process().and_then(|vm| pidfd_open(vm, PidfdFlags::empty()).ok());
        if let Some((signal, _)) = self.round.ask {
            // It may have ended.
            let _ = pidfd_send_signal(&self.process, signal);
        }
        self.be_patient()
    }

    /// Something has happened.
    fn be_patient(&mut self) -> Result<(), Error> {
        self.patience = Patience::new(self.activity()?);
        self.look_at = Instant::now() + PERIOD;
        Ok(())
    }

    fn activity(&self) -> Result<Activity, Error> {
        // The VM's may have ended meanwhile.
        let activity = Activity::of(self.busy());
        activity.or_else(|_| Activity::of(self.started())).doing(|| "watch a VMM".into())
    }

    /// The VM's own process, once it is there.
    fn vm_process(&self) -> Option<Pid> {
        let number = child_of(self.child.id()).ok()?;
        let name = fs::read_to_string(format!("/proc/{number}/comm")).ok()?;
        if name.trim_end() == VMM { Pid::from_raw(number as i32) } else { None }
    }

    fn busy(&self) -> Pid {
        self.vm_process().unwrap_or(self.started())
    }

    /// It is not waited for yet, so that its number is its own.
    fn started(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Tells what it does, and kills it.
    fn lose(mut self) -> Result<End, Error> {
        let text = threads::describe(self.busy());
        let doing = || "kill a VMM".to_owned();
        self.child.kill().doing(doing)?;
        self.child.wait().doing(doing)?;
        let output = String::from_utf8_lossy(&self.output);
        Ok(End::Lost(format!("{text}  it has said {:?}", output)))
    }
}

#[cfg(test)]
mod tests;
