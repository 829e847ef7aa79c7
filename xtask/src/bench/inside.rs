//! The measuring itself, inside the emulated host.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::container::{Container, Parts, Times};
use super::start::Running;
use super::vmm::{Guest, Vmm};
use super::{memory, nanoseconds, system_calls};
use crate::error::{Doing, Error};

/// The hidden command that is run in the emulated host.
pub const INNER_COMMAND: &str = "bench-inside";

/// A tmpfs of the emulated host's own: its other files come from outside, and waiting for them would be counted.
const TMPFS: &str = "/run/bench";

/// Starts of the one-page guest for each start of Linux: it takes a hundredth of the time.
const ONE_PAGE_STARTS: u32 = 5;

/// A Linux guest is idle after this time. An idle host's clock leaps, so it costs nothing.
const SETTLING: Duration = Duration::from_millis(300);

/// The console is each machine's own. `reboot=k`: for peers without ACPI.
pub const BOOT_ARGUMENTS: &str = if cfg!(target_arch = "aarch64") {
    "console=ttyAMA0 quiet panic=-1"
} else {
    "console=ttyS0 quiet panic=-1 reboot=k"
};

/// What to measure.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    /// Ours first, then the peers.
    pub vmms: Vec<Vmm>,
    /// The program that counts system calls.
    pub strace: PathBuf,
    /// The kernel that takes one page.
    pub one_page: PathBuf,
    /// Linux.
    pub kernel: PathBuf,
    /// Its initramfs.
    pub initramfs: PathBuf,
    /// What a container takes.
    pub container: Parts,
    /// How often Linux is started by each VMM, and in each way.
    pub runs: u32,
    /// Not all of it.
    pub only: Option<Part>,
}

/// A part of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub enum Part {
    /// A VMM's starts and memory, beside its peers'
    Vmm,
    /// A whole `bulkhead run`, beside the bare boot of its guest
    Run,
}

impl Plan {
    /// Whether it has this part.
    pub fn has(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }
}

/// What was measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Of the plan's VMMs, in their order.
    pub vmms: Vec<Figures>,
    /// Of containers.
    pub container: Times,
}

/// What was measured of one VMM.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Start to first byte of the one-page guest, in nanoseconds, of each run.
    pub one_page: Vec<u64>,
    /// Start to the line of a Linux guest's init, likewise.
    pub linux: Vec<u64>,
    /// Resident memory outside guest RAM, in KiB, of each run.
    pub resident: Vec<u64>,
    /// System calls until the guest runs.
    pub system_calls: u64,
    /// What the VMM said at the end of the last Linux guest.
    pub messages: String,
}

/// Measure on the KVM that is here
#[derive(Args)]
pub struct InnerArgs {
    plan: String,
}

impl InnerArgs {
    /// Prints the figures as JSON.
    pub fn run(self) -> Result<u8, Error> {
        let json = |error: serde_json::Error| Error::Content(format!("the plan: {error}"));
        let plan: Plan = serde_json::from_str(&self.plan).map_err(json)?;
        let mut measured = Measured::default();
        if plan.has(Part::Vmm) {
            measured.vmms = Bench::prepare(&plan)?.measure(plan.runs)?;
        }
        if plan.has(Part::Run) {
            let container = Container::prepare(&plan.container, Path::new(TMPFS).join("run"))?;
            measured.container = container.measure(plan.runs, &plan.strace)?;
        }
        println!("{}", serde_json::to_string(&measured).map_err(json)?);
        Ok(0)
    }
}

/// All that is needed, in the tmpfs.
struct Bench {
    vmms: Vec<Vmm>,
    one_page: Guest,
    linux: Guest,
    /// The files that a VMM may map as guest RAM.
    guest_files: [PathBuf; 2],
    strace: PathBuf,
}

impl Bench {
    fn prepare(plan: &Plan) -> Result<Bench, Error> {
        let dir = Path::new(TMPFS);
        std::fs::create_dir_all(dir).doing(|| format!("create {TMPFS}"))?;
        let copy = |from: &Path, name: &str| {
            let to = dir.join(name);
            std::fs::copy(from, &to).doing(|| format!("copy {}", from.display()))?;
            Ok::<_, Error>(to)
        };
        let vmms = plan
            .vmms
            .iter()
            .map(|vmm| Ok(Vmm { path: copy(&vmm.path, vmm.kind.name())?, kind: vmm.kind }));
        let vmms = vmms.collect::<Result<_, Error>>()?;
        let one_page = copy(&plan.one_page, "one-page")?;
        let kernel = copy(&plan.kernel, "vmlinux")?;
        let initramfs = copy(&plan.initramfs, "initramfs")?;
        Ok(Bench {
            vmms,
            one_page: Guest::new(&one_page, None, "", dir.join("one-page.json"))?,
            linux: Guest::new(&kernel, Some(&initramfs), BOOT_ARGUMENTS, dir.join("linux.json"))?,
            guest_files: [kernel, initramfs],
            strace: plan.strace.clone(),
        })
    }

    /// The VMMs take turns. The first turn of each only brings its files' pages in, and is not counted.
    fn measure(&self, runs: u32) -> Result<Vec<Figures>, Error> {
        let mut figures: Vec<Figures> = self.vmms.iter().map(|_| Figures::default()).collect();
        let each = |figures: &mut [Figures], turn: &dyn Fn(&Vmm, &mut Figures) -> _| {
            self.vmms.iter().zip(figures).try_for_each(|(vmm, figures)| turn(vmm, figures))
        };
        for _ in 0..=runs * ONE_PAGE_STARTS {
            each(&mut figures, &|vmm, figures| self.start_one_page(vmm, figures))?;
        }
        for _ in 0..=runs {
            each(&mut figures, &|vmm, figures| self.start_linux(vmm, figures))?;
        }
        for (vmm, figures) in self.vmms.iter().zip(&mut figures) {
            for values in [&mut figures.one_page, &mut figures.linux, &mut figures.resident] {
                values.remove(0);
            }
            let record = Path::new(TMPFS).join("strace");
            let arguments = vmm.arguments(&self.one_page);
            figures.system_calls =
                system_calls::until_guest_runs(&self.strace, arguments, &record)?;
        }
        Ok(figures)
    }

    fn start_one_page(&self, vmm: &Vmm, figures: &mut Figures) -> Result<(), Error> {
        let mut running = Running::start(&vmm.arguments(&self.one_page))?;
        figures.one_page.push(nanoseconds(running.wait_for_line()?.first));
        running.stop().map(drop)
    }

    fn start_linux(&self, vmm: &Vmm, figures: &mut Figures) -> Result<(), Error> {
        let mut running = Running::start(&vmm.arguments(&self.linux))?;
        figures.linux.push(nanoseconds(running.wait_for_line()?.last));
        thread::sleep(SETTLING);
        let guest_files = self.guest_files.each_ref().map(PathBuf::as_path);
        figures.resident.push(memory::outside_guest_ram(&running.proc(), &guest_files)?);
        figures.messages = running.stop()?;
        Ok(())
    }
}
