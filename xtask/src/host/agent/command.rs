//! One command: its process, its streams and its end.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{self, Stdio};
use std::sync::mpsc::Sender;
use std::thread;

use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, wait as wait_for_any};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use super::Event;
use super::ports::Ports;
use super::pumps::{self, Pump};
use crate::host::wire::{Process, Size, write_chunk};

/// A started command, or the failure to start it, told like one that ended at once.
pub struct Command {
    group: Option<Pid>,
    terminal: Option<OwnedFd>,
    input: Pump,
    outputs: [Pump; 2],
    /// Closed to tell the pumps that the command has ended.
    stop: OwnedFd,
}

/// A started process and this side's ends of its streams.
struct Started {
    pid: Option<Pid>,
    terminal: Option<OwnedFd>,
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl Command {
    /// Starts `process`; its end will come as an event.
    pub fn start(process: &Process, ports: &Ports, events: Sender<Event>) -> io::Result<Command> {
        let started = match spawn(process) {
            Ok(started) => started,
            Err(error) => {
                let name = process.arguments.first().map(|name| name.display().to_string());
                let message = format!("cannot start {}: {error}\n", name.unwrap_or_default());
                write_chunk(&mut ports.stderr.try_clone()?, message.as_bytes())?;
                // As a shell: 127 not found, 126 found but not executable.
                let found = error.kind() != io::ErrorKind::NotFound;
                let _ = events.send(Event::Ended(if found { 126 } else { 127 }));
                Started { pid: None, terminal: None, stdin: None, stdout: None, stderr: None }
            }
        };
        let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        if let Some(pid) = started.pid {
            thread::spawn(move || events.send(Event::Ended(reap_until(pid))));
        }
        Ok(Command {
            group: started.pid,
            terminal: started.terminal,
            input: pumps::input(ports.stdin.try_clone()?, started.stdin, stopped.try_clone()?),
            outputs: [
                pumps::output(started.stdout, ports.stdout.try_clone()?, stopped.try_clone()?),
                pumps::output(started.stderr, ports.stderr.try_clone()?, stopped),
            ],
            stop,
        })
    }

    /// Sends `signal` to the command and the processes it started in its group.
    pub fn signal(&self, signal: i32) {
        if let Some((group, signal)) = self.group.zip(Signal::from_named_raw(signal)) {
            // It may have just ended.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Gives its terminal another size.
    pub fn resize(&self, size: Size) {
        if let Some(terminal) = &self.terminal {
            let _ = rustix::termios::tcsetwinsize(terminal, winsize(size));
        }
    }

    /// After the command's end: passes on the rest of its output. The input is left to be ended.
    pub fn finish_output(self) -> io::Result<Pump> {
        drop(self.stop);
        self.outputs.into_iter().try_for_each(pumps::join)?;
        Ok(self.input)
    }
}

fn spawn(process: &Process) -> io::Result<Started> {
    let mut arguments = process.arguments.iter();
    let program = arguments.next().ok_or(io::ErrorKind::NotFound)?;
    for (path, content) in &process.files {
        std::fs::write(path, content)?;
    }
    let mut command = process::Command::new(program);
    command.args(arguments).current_dir(&process.directory);
    command.env_clear().envs(process.environment.iter().map(|(key, value)| (key, value)));
    match process.terminal {
        None => spawn_with_pipes(command),
        Some(size) => spawn_on_terminal(command, size),
    }
}

fn spawn_with_pipes(mut command: process::Command) -> io::Result<Started> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.process_group(0).spawn()?;
    Ok(Started {
        pid: Some(Pid::from_child(&child)),
        terminal: None,
        stdin: child.stdin.take().map(OwnedFd::from),
        stdout: child.stdout.take().map(OwnedFd::from),
        stderr: child.stderr.take().map(OwnedFd::from),
    })
}

fn spawn_on_terminal(mut command: process::Command, size: Size) -> io::Result<Started> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = rustix::pty::openpt(flags)?;
    rustix::pty::unlockpt(&terminal)?;
    rustix::termios::tcsetwinsize(&terminal, winsize(size))?;
    let name = rustix::pty::ptsname(&terminal, Vec::new())?;
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
    let side = rustix::fs::open(name, flags | rustix::fs::OFlags::CLOEXEC, 0.into())?;
    command.stdin(side.try_clone()?).stdout(side.try_clone()?).stderr(side);
    let own_session = || {
        rustix::process::setsid()?;
        rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
        Ok(())
    };
    // SAFETY: the closure makes two system calls; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(own_session) };
    let child = command.spawn()?;
    Ok(Started {
        pid: Some(Pid::from_child(&child)),
        stdin: Some(terminal.try_clone()?),
        stdout: Some(terminal.try_clone()?),
        stderr: None,
        terminal: Some(terminal),
    })
}

fn winsize(size: Size) -> Winsize {
    Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// Waits for `pid` and returns its exit status. Orphans of earlier commands are reaped on the way: this
/// is the first process of its machine.
fn reap_until(pid: Pid) -> u8 {
    loop {
        match wait_for_any(WaitOptions::empty()) {
            Ok(Some((ended, status))) if ended == pid => {
                let signal = status.terminating_signal().map(|signal| 128 + signal);
                let status = status.exit_status().or(signal).unwrap_or(1);
                return u8::try_from(status).unwrap_or(1);
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return 1,
        }
    }
}
