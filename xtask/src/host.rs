//! The emulated host: a whole machine with KVM in it, on any machine.
//!
//! QEMU emulates a PC whose CPU has SVM, or an Arm board whose CPU has EL2. In it runs the distribution's kernel with KVM,
//! and its root is this machine's own `/`, so that every path means the same inside. Where that holds programs of the
//! other architecture, only its users' folders are there, in a small Debian system. The first program is xtask
//! again, as an [`agent`]: it starts commands and passes their streams through virtio-serial ports.

mod activity;
pub mod agent;
pub mod cli;
mod console;
mod initramfs;
mod monitor;
mod qemu;
mod root;
mod share;
mod standstill;
mod streams;
mod terminal;
pub mod tree;
mod wire;
mod zeroing;

use std::fs::File;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio as ProcessStdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use host::child::spawn_bound;
use rustix::fs::MemfdFlags;
use rustix::pipe::PipeFlags;
use rustix::process::Signal;

pub use activity::Activity;
pub use cli::{process, run_in_foreground};
pub use monitor::{Monitor, Processor, spinning_at};
pub use qemu::{Cpu, Trial, words};
pub use root::Root;
pub use standstill::StandStill;
pub use streams::Stdio;
pub use wire::{AGENT_COMMAND, Process};

use wire::Size;

use crate::arch::Arch;
use crate::error::{Doing, Error};
use crate::kernel::Debian;
use crate::needs;
use crate::progress::Step;
use crate::watchdog::Watchdog;
use console::Console;
use standstill::Pulse;
use wire::{PORTS, Reply, Request};

/// What kind of host to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its architecture.
    pub arch: Arch,
    /// The processor of an aarch64 host.
    pub cpu: Cpu,
    /// The host is stopped after this time, whatever it does.
    pub timeout: Option<Duration>,
    /// Its clock counts instructions instead of time.
    pub icount: bool,
    /// Where the random numbers of such a host begin.
    pub seed: u32,
    /// Its memory.
    pub memory_mib: u32,
    /// Show its kernel's console on stderr.
    pub verbose: bool,
    /// What is different in it.
    pub trial: Trial,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            arch: Arch::NATIVE,
            cpu: Cpu::default(),
            timeout: Some(Duration::from_secs(300)),
            icount: false,
            seed: 1,
            memory_mib: 2048,
            verbose: false,
            trial: Trial::default(),
        }
    }
}

/// A running emulated host. It ends when this is dropped, and when the thread that started it ends.
pub struct Host {
    emulator: Child,
    file_server: Child,
    console: Console,
    control: Control,
    replies: UnixStream,
    streams: [UnixStream; 3],
    watchdog: Watchdog,
    /// Open while the host runs: the end of a port would be an event in there.
    heartbeat: UnixStream,
    monitor: Monitor,
    /// From when it is up; a counting aarch64 host has no fault to look for.
    pulse: Option<Pulse>,
}

/// Sends requests to the agent, from any thread.
#[derive(Clone)]
pub struct Control(Arc<Mutex<UnixStream>>);

impl Control {
    /// Requests are lost once the host is gone; whoever waits for the answer learns that.
    fn send(&self, request: &Request) {
        let mut stream = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let _ = wire::send(&mut *stream, request);
    }

    /// Sends `signal` to the command.
    pub fn signal(&self, signal: i32) {
        self.send(&Request::Signal(signal));
    }

    /// Gives the command's terminal another size.
    pub fn resize(&self, size: Size) {
        self.send(&Request::Resize(size));
    }
}

/// Downloads and installs what is missing for a host of `arch`; [`Host::start`] does so too, and builds the rest.
pub fn download(arch: Arch) -> Result<(), Error> {
    needs::provide(&[needs::emulator(arch), &needs::VIRTIOFSD])?;
    Debian::provide(arch)?;
    Root::busybox(arch).map(drop)
}

impl Host {
    /// Installs what is missing, starts a host and waits until it takes commands.
    pub fn start(options: &Options) -> Result<Host, Error> {
        let emulator = needs::emulator(options.arch);
        needs::provide(&[emulator, &needs::VIRTIOFSD])?;
        let kernel = Debian::provide(options.arch)?;
        let root = Root::provide(options.arch)?;
        let doing = || "connect the emulated host".to_owned();
        let initramfs = rustix::fs::memfd_create("initramfs", MemfdFlags::CLOEXEC)
            .map(File::from)
            .doing(doing)?;
        initramfs::write(&initramfs, &root, &kernel.host_modules()?)?;
        let image = zeroing::kernel(options.arch, &kernel.image())?;

        let (monitor, their_monitor) = UnixStream::pair().doing(doing)?;
        let (file_server, root) = share::serve(&needs::VIRTIOFSD.require()?)?;
        let mut ours = Vec::new();
        let mut theirs = Vec::new();
        for _ in PORTS {
            let (our, their) = UnixStream::pair().doing(doing)?;
            ours.push(our);
            theirs.push(their);
        }
        let wiring = qemu::Wiring {
            root: root.as_fd(),
            ports: std::array::from_fn(|port| theirs[port].as_fd()),
            initramfs: initramfs.as_fd(),
            kernel: image.as_fd(),
            monitor: their_monitor.as_fd(),
        };
        let qemu = match &options.trial.emulator {
            Some(path) => path.clone(),
            None => emulator.require()?,
        };
        let mut command = qemu::command(&qemu, options, &wiring);
        command.stdin(ProcessStdio::null());
        command.stdout(ProcessStdio::piped()).stderr(ProcessStdio::piped());
        let mut emulator = spawn_bound(&mut command, &wiring.descriptors(), Signal::KILL)
            .doing(|| format!("start {}", qemu.display()))?;
        // With these ends open here the end of the emulator would go unnoticed.
        drop((theirs, their_monitor, root));
        let console = match (emulator.stdout.take(), emulator.stderr.take()) {
            (Some(stdout), Some(stderr)) => Console::follow(stdout, stderr, options.verbose),
            _ => Console::default(),
        };
        let watchdog = Watchdog::start(&emulator, options.timeout)?;
        let mut ours = ours.into_iter();
        let mut next = || ours.next().ok_or_else(|| Error::Host("a port is missing".into()));
        let control = next()?;
        let replies = control.try_clone().doing(doing)?;
        let control = Control(Arc::new(Mutex::new(control)));
        let streams = [next()?, next()?, next()?];
        let monitor = Monitor::new(&emulator, monitor)?;
        let mut host = Host {
            emulator,
            file_server,
            console,
            control,
            replies,
            streams,
            heartbeat: next()?,
            monitor,
            watchdog,
            pulse: None,
        };
        let step = Step::start("starting the emulated host");
        match host.reply()? {
            Reply::Ready => drop(step),
            other => return Err(Error::Host(format!("its agent began with {other:?}"))),
        }
        host.pulse = match (options.icount, options.arch) {
            (false, _) => {
                let port = host.heartbeat.try_clone().doing(doing)?;
                Some(Pulse::feel(host.monitor(), options.arch, port)?)
            }
            // Questions from outside would make no two runs alike.
            (true, Arch::X86_64) => Some(Pulse::look(host.monitor())),
            (true, Arch::Aarch64) => None,
        };
        Ok(host)
    }

    /// For signals and window sizes while [`run`](Host::run) runs.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// The emulator, to look at and to end while [`run`](Host::run) runs.
    pub fn monitor(&self) -> Monitor {
        self.monitor.clone()
    }

    /// How many interrupts the emulator lost so far that were made good.
    pub fn lost_interrupts(&self) -> u32 {
        self.pulse.as_ref().map_or(0, Pulse::lost_interrupts)
    }

    /// Runs a command to its end and returns its exit status, 128 + n for signal n.
    pub fn run(&mut self, process: Process, stdio: Stdio) -> Result<u8, Error> {
        let doing = || "pass streams to the emulated host".to_owned();
        let [input, output, errors] = &self.streams;
        let (input, output, errors) = (
            input.try_clone().doing(doing)?,
            output.try_clone().doing(doing)?,
            errors.try_clone().doing(doing)?,
        );
        self.control.send(&Request::Start(process));
        // Another host's emulator must not inherit it: the sender would wait for its end.
        let (stop, stopped) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).doing(doing)?;
        let sender = thread::spawn(move || streams::send_input(stdio.stdin, input, stop));
        let receive = |port, fd| {
            let control = self.control.clone();
            thread::spawn(move || {
                streams::receive_output(port, fd, || control.signal(libc::SIGPIPE))
            })
        };
        let receivers = [receive(output, stdio.stdout), receive(errors, stdio.stderr)];
        let reply = self.reply()?;
        for receiver in receivers {
            receiver
                .join()
                .map_err(|_| Error::Host("an output thread panicked".into()))?
                .doing(doing)?;
        }
        drop(stopped);
        sender.join().map_err(|_| Error::Host("the input thread panicked".into()))?.doing(doing)?;
        match reply {
            Reply::Exited(status) => Ok(status),
            Reply::Ready => Err(Error::Host("its agent started twice".into())),
        }
    }

    fn reply(&mut self) -> Result<Reply, Error> {
        wire::receive(&mut self.replies).map_err(|error| {
            if let Some(how) = self.pulse.as_ref().and_then(Pulse::stands_still) {
                return Error::StoodStill(how);
            }
            if let Some(limit) = self.watchdog.expired() {
                return Error::TimeLimit(limit.as_secs());
            }
            Error::Host(format!("ended early ({error}); its console: {}", self.console.tail()))
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // The agent powers the machine off at the end of the control port. There is nothing to lose in it, so it is not waited for.
        let _ = self.replies.shutdown(Shutdown::Both);
        for child in [&mut self.emulator, &mut self.file_server] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
