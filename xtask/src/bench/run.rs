//! What a whole `bulkhead run` costs, beside the bare boot of its guest and beside `runc run`, inside the emulated host.
//!
//! - the whole: from the `execve` of `bulkhead run --rm IMAGE true` until `bulkhead` has ended, nothing left of its VM;
//! - the bare boot of the same guest (kernel, initramfs with guest-init, disk, socket, memory and processor are those that
//!   `bulkhead` itself prepares): from the `execve` of `bulkhead-vmm` until guest-init calls its host on vsock. We listen
//!   where `bulkhead` would. guest-init calls first of all, when the kernel's modules are loaded and nothing is mounted yet,
//!   so this is the least that any way of starting a process in this guest pays. All else counts as `bulkhead`'s cost:
//!   finding the image, the container's files, the guest's mounts, the talk with it, the process, the VM's end;
//! - the peer without a VM: the whole of `runc run` of the same root folder and command (see [`Runc`]);
//! - the same container with a network, and passt to start for it, and without one: what the processor does, since an idle
//!   host's clock leaps to its next tick, and more often with an interface that is up.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use containers::plan::{Plan as Written, VmConfig, Vsock};
use serde::{Deserialize, Serialize};

use super::home::{Home, end_well};
use super::nanoseconds;
use super::network;
use super::plan::{ByKernel, Parts, Plan};
use super::runc::Runc;
use super::start::Running;
use super::system_calls;
use crate::error::{Doing, Error};
use crate::run::demo;

/// An interface of the host's, its address, and whom it asks for all others (RFC 5737: of no network there is).
const WAY_OUT: &str = "bench1";
const ADDRESS: &str = "198.51.100.2/24";
const GATEWAY: &str = "198.51.100.1";

/// What was measured, of each run, in nanoseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Times {
    /// The whole of `bulkhead run`.
    pub whole: ByKernel<Vec<u64>>,
    /// The bare boot.
    pub boot: ByKernel<Vec<u64>>,
    /// The whole of `runc run`.
    pub runc: Vec<u64>,
    /// The whole of `bulkhead run` with our kernel and a network, and without one, but for idle times.
    pub networked: Vec<u64>,
    pub alone: Vec<u64>,
    /// System calls of `bulkhead`'s main thread. To trace the VMM, or to stop for every exit of its guest, would take minutes.
    pub system_calls: u64,
}

/// Those that take turns.
pub struct Contest<'a> {
    home: &'a Home,
    guests: ByKernel<RunGuest>,
    runc: Option<Runc>,
}

/// What `bulkhead` boots.
struct RunGuest {
    kernel: PathBuf,
    vm: VmConfig,
}

impl<'a> Contest<'a> {
    /// What is left to prepare once a home is there.
    pub fn prepare(
        plan: &Plan,
        parts: &Parts,
        home: &'a Home,
        kernels: &ByKernel<PathBuf>,
    ) -> Result<Contest<'a>, Error> {
        let guests = kernels.map(|kernel| RunGuest::prepare(home, kernel))?;
        let folder = home.folder().join("runc");
        let runc = plan.runc.as_ref().map(|program| Runc::prepare(program, &parts.root, folder));
        Ok(Contest { home, guests, runc: runc.transpose()? })
    }

    /// All take turns. The first turn of each is not counted.
    pub fn measure(&self, runs: u32, strace: &Path) -> Result<Times, Error> {
        let mut times = Times::default();
        for turn in 0..=runs {
            let whole = self.guests.map(|guest| time(&mut guest.run(self.home)))?;
            let boot = self.guests.map(|guest| guest.boot(self.home))?;
            let runc = self.runc.as_ref().map(|runc| time(&mut runc.run()));
            let runc = runc.transpose()?;
            let alone = busy_time(&mut self.guests.own.run_on(self.home, "none"))?;
            let user = || busy_time(&mut self.guests.own.run_on(self.home, "user"));
            let networked = with_way_out(user)?;
            if turn > 0 {
                times.networked.push(nanoseconds(networked));
                times.alone.push(nanoseconds(alone));
                for (values, value) in [(&mut times.whole, whole), (&mut times.boot, boot)] {
                    values.debian.push(nanoseconds(value.debian));
                    values.own.push(nanoseconds(value.own));
                }
                times.runc.extend(runc.map(nanoseconds));
            }
        }
        let record = self.home.folder().join("strace");
        let run = self.guests.own.run(self.home);
        let mut traced = self.home.command(strace);
        traced.arg("-o").arg(&record).arg(run.get_program()).args(run.get_args());
        end_well(&mut traced)?;
        times.system_calls = system_calls::of_one_thread(&record)?;
        Ok(times)
    }
}

/// How long it takes.
fn time(command: &mut std::process::Command) -> Result<Duration, Error> {
    let began = Instant::now();
    end_well(command)?;
    Ok(began.elapsed())
}

/// How long the processor has something to do for it.
fn busy_time(command: &mut std::process::Command) -> Result<Duration, Error> {
    let idle = network::idle_time()?;
    let elapsed = time(command)?;
    Ok(elapsed.saturating_sub(network::idle_time()?.saturating_sub(idle)))
}

/// Does it while the emulated host has a network, which leads nowhere. All else is measured without one.
fn with_way_out<R>(what: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    network::ip(&["tuntap", "add", WAY_OUT, "mode", "tap"])?;
    network::ip(&["address", "add", ADDRESS, "dev", WAY_OUT])?;
    network::ip(&["link", "set", WAY_OUT, "up"])?;
    network::ip(&["route", "add", "default", "via", GATEWAY, "dev", WAY_OUT])?;
    let result = what()?;
    network::ip(&["tuntap", "del", WAY_OUT, "mode", "tap"])?;
    Ok(result)
}

impl RunGuest {
    fn prepare(home: &Home, kernel: &Path) -> Result<RunGuest, Error> {
        let path = home.folder().join("bundle.json");
        let mut prepare = home.bulkhead(["prepare", "--out"]);
        prepare.arg(&path).arg("--kernel").arg(kernel).args([demo::NAME, "true"]);
        end_well(&mut prepare)?;
        let text = fs::read(&path).doing(|| format!("read {}", path.display()))?;
        let written: Written = serde_json::from_slice(&text)
            .map_err(|error| Error::Content(format!("the bundle: {error}")))?;
        Ok(RunGuest { kernel: kernel.to_owned(), vm: written.vm.config })
    }

    fn run(&self, home: &Home) -> std::process::Command {
        let mut command = home.bulkhead(["run", "--rm", "--kernel"]);
        command.arg(&self.kernel).args([demo::NAME, "true"]);
        command
    }

    fn run_on(&self, home: &Home, network: &str) -> std::process::Command {
        let mut command = home.bulkhead(["run", "--rm", "--network", network, "--kernel"]);
        command.arg(&self.kernel).args([demo::NAME, "true"]);
        command
    }

    /// With the files and arguments of `bulkhead`'s way to start a VMM.
    fn boot(&self, home: &Home) -> Result<Duration, Error> {
        let folder = home.folder().join("run");
        let doing = || format!("write to {}", folder.display());
        // The VMM removes it at its end.
        fs::create_dir(&folder).doing(doing)?;
        let socket = folder.join("vsock");
        let reception = folder.join(format!("vsock_{}", protocol::PORT));
        let reception = UnixListener::bind(reception).doing(doing)?;
        let vsock = Some(Vsock { guest_cid: 3, uds_path: socket });
        let config = VmConfig { vsock, ..self.vm.clone() };
        let text = serde_json::to_vec(&config).map_err(std::io::Error::from).doing(doing)?;
        let config_file = folder.join("vm.json");
        fs::write(&config_file, text).doing(doing)?;
        let arguments: [&Path; 6] = [
            &home.program("bulkhead-vmm"),
            "--no-api".as_ref(),
            "--config-file".as_ref(),
            &config_file,
            "--runtime-dir".as_ref(),
            &folder,
        ];
        let mut running = Running::start(&arguments.map(Into::into))?;
        let time = running.wait_for_call(&reception)?;
        running.stop()?;
        Ok(time)
    }
}
