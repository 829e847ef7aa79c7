//! The guest as PID 1 has it: the whole machine.

mod begun;

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Builder;

use protocol::{ByteString, Clock, ExitStatus, Setting, Setup, Start, Statistics};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use begun::Begun;

use crate::children::Children;
use crate::error::{During, StartError};
use crate::log::log;
use crate::order::{self, Order, Report};
use crate::session::{Child, Guest};
use crate::{cgroup, host_facts, modules, names, network, root};

/// Everything that this kernel runs belongs to one container.
#[derive(Default)]
pub struct Machine {
    children: Arc<Children>,
    setting: OnceLock<Setting>,
    /// The container's first process, by which others enter.
    first: Mutex<Option<u32>>,
}

impl Machine {
    /// Takes over from the kernel, up to where the host can be called.
    pub fn boot() -> Self {
        modules::load_all(Path::new(modules::FOLDER), modules::load);
        Self::default()
    }

    /// Writes what is in memory to the scratch disk, whose journal makes an unmounted state of it, and ends the machine.
    pub fn power_off(self) {
        rustix::fs::sync();
        if let Err(error) = rustix::system::reboot(rustix::system::RebootCommand::PowerOff) {
            log(format_args!("power off: {error}"));
        }
    }

    fn first(&self) -> Option<u32> {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies in or out: `wire` has the archive as the program's standard input or output.
    fn copy(&self, order: &Order, wire: impl FnOnce(&mut Command)) -> Result<(), StartError> {
        let mut program = program();
        wire(&mut program);
        let mut guard = self.children.spawn_guard();
        let (child, socket) = launch(program, order)?;
        let end = guard.expect(Pid::from_child(&child));
        drop(guard);
        while let Some((report, _)) = order::receive::<Report>(&socket)? {
            if let Report::Failed(kind, message) = report {
                return Err(StartError::Reported(kind, message));
            }
        }
        match end.recv() {
            Ok(ExitStatus::Code(0)) => Ok(()),
            _ => Err(io::Error::other("the program that copies was ended")).during("copy"),
        }
    }
}

impl Guest for Machine {
    fn mount(&self) -> Result<(), StartError> {
        root::mount_all()?;
        cgroup::make()?;
        network::prepare();
        let children = Arc::clone(&self.children);
        let reaper = Builder::new().name("reaper".into()).spawn(move || children.reap());
        reaper.map(drop).during("start the thread that reaps")
    }

    fn set_up(&self, setup: &Setup) -> Result<(), StartError> {
        host_facts::set_clock(setup.clock)?;
        host_facts::seed(&setup.seed)?;
        cgroup::limit_memory(setup.setting.memory);
        network::set_up(&setup.network)?;
        names::write(&setup.setting.hostname, &setup.network)?;
        // The conversation lets it come only once.
        let _ = self.setting.set(setup.setting.clone());
        Ok(())
    }

    fn start(&self, start: &Start, pipes: Option<[OwnedFd; 3]>) -> Result<Child, StartError> {
        let over = || io::Error::other("the container has no first process");
        let setting = self.setting.get().ok_or_else(over).during("start a process")?;
        let (setting, what) = (Box::new(setting.clone()), Box::new(start.clone()));
        let order = match start.number {
            0 => Order::First(setting, what),
            _ => Order::Another(self.first().ok_or_else(over).during("enter")?, setting, what),
        };
        let mut program = program();
        if let Some([stdin, stdout, stderr]) = pipes {
            program.stdin(stdin).stdout(stdout).stderr(stderr);
        }
        let mut guard = self.children.spawn_guard();
        let (mut child, socket) = launch(program, &order)?;
        let Begun { pid, terminal } = begun::wait(&mut child, &socket, begun::PATIENCE)?;
        let handle = pidfd_open(pid, PidfdFlags::empty())
            // Nobody could ever say anything to it.
            .inspect_err(|_| {
                let _ = kill_process(pid, Signal::KILL);
            })
            .during("open a handle on the process")?;
        let end = guard.expect(pid);
        let number = pid.as_raw_nonzero().get().unsigned_abs();
        if start.number == 0 {
            *self.first.lock().unwrap_or_else(PoisonError::into_inner) = Some(number);
        }
        Ok(Child { pid: number, handle, terminal, end })
    }

    fn end_everything(&self) {
        cgroup::kill();
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn ran_out_of_memory(&self) -> bool {
        cgroup::ran_out_of_memory()
    }

    fn freeze(&self) -> Result<(), StartError> {
        cgroup::freeze()
    }

    fn thaw(&self, clock: Clock) -> Result<(), StartError> {
        // A wrong time is no reason to stand still for ever.
        if let Err(error) = host_facts::set_clock(clock) {
            log(error);
        }
        cgroup::thaw()
    }

    fn statistics(&self) -> Result<Statistics, StartError> {
        Ok(cgroup::statistics())
    }

    fn copy_out(&self, path: &ByteString, stream: File) -> Result<(), StartError> {
        let order = Order::CopyOut(self.first(), path.clone());
        self.copy(&order, |program| {
            program.stdout(stream);
        })
    }

    fn copy_in(&self, path: &ByteString, stream: File) -> Result<(), StartError> {
        let order = Order::CopyIn(self.first(), path.clone());
        self.copy(&order, |program| {
            program.stdin(stream);
        })
    }
}

/// This program again, by the name that takes no writes.
fn program() -> Command {
    let mut command = Command::new(root::PROGRAM);
    command.arg(order::ARGUMENT).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Starts it and gives it its order. What comes back on the socket ends when it, and what it forked, has closed its end.
fn launch(
    mut program: Command,
    order: &Order,
) -> Result<(std::process::Child, OwnedFd), StartError> {
    let (ours, theirs) = order::pair()?;
    let number = theirs.as_raw_fd();
    let hand_down = move || {
        // SAFETY: two system calls on numbers; `theirs` is open until after the spawn.
        let result = unsafe {
            match number {
                // dup2(2) onto itself would leave close-on-exec set.
                order::SOCKET => libc::fcntl(number, libc::F_SETFD, 0),
                _ => libc::dup2(number, order::SOCKET),
            }
        };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: between fork and exec the closure makes one system call, without allocation or locks.
    unsafe { program.pre_exec(hand_down) };
    let child = program.spawn().during("start guest-init's program for containers")?;
    drop(theirs);
    order::send(&ours, order, None)?;
    Ok((child, ours))
}
