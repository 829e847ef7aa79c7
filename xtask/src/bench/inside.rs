//! The measuring itself, inside the emulated host.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::Args;

use super::home::Home;
use super::measured::{Figures, Measured};
use super::plan::{ByKernel, Part, Plan};
use super::run::Contest;
use super::start::Running;
use super::vmm::{Guest, Kind, Vmm, copy};
use super::{idle, memory, nanoseconds, network, system_calls};
use crate::error::{Doing, Error};

/// The hidden command that is run in the emulated host.
pub const INNER_COMMAND: &str = "bench-inside";

/// A tmpfs of the emulated host's own: its other files come from outside, and waiting for them would be counted.
const TMPFS: &str = "/run/bench";

/// Starts of the one-page guest for each start of Linux: it takes a hundredth of the time.
const ONE_PAGE_STARTS: u32 = 5;

/// A Linux guest is idle after this time. An idle host's clock leaps, so it costs nothing.
const SETTLING: Duration = Duration::from_millis(300);

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
        let folder = Path::new(TMPFS);
        std::fs::create_dir_all(folder).doing(|| format!("create {TMPFS}"))?;
        let kernels = plan.kernels.map(|kernel| copy_kernel(kernel, folder))?;
        let mut measured = Measured::default();
        if plan.has(Part::Vmm) {
            measured.vmms = Bench::prepare(&plan, &kernels)?.measure(plan.runs)?;
        }
        if plan.has(Part::Network) {
            let contest = network::Contest::prepare(&plan, &kernels.own, folder)?;
            measured.network = contest.measure(plan.runs)?;
        }
        if let Some(parts) = &plan.container {
            let home = Home::prepare(parts, &plan.passt, folder.join("home"))?;
            if plan.has(Part::Run) {
                let contest = Contest::prepare(&plan, parts, &home, &kernels)?;
                measured.run = contest.measure(plan.runs, &plan.strace)?;
            }
            if plan.has(Part::Idle) {
                measured.idle = idle::measure(&home, &kernels.own)?;
            }
        }
        println!("{}", serde_json::to_string(&measured).map_err(json)?);
        Ok(0)
    }
}

/// Copies a kernel, and its modules where it has any, into a folder of its own in `folder`; the path of the copy.
fn copy_kernel(kernel: &Path, folder: &Path) -> Result<PathBuf, Error> {
    let reading = || format!("read {}", kernel.display());
    let folder = tempfile::tempdir_in(folder).doing(reading)?.keep();
    let to = folder.join(kernel.file_name().unwrap_or_default());
    std::fs::copy(kernel, &to).doing(reading)?;
    let modules = kernel.with_file_name("modules");
    if modules.is_dir() {
        let copies = folder.join("modules");
        std::fs::create_dir(&copies).doing(|| format!("create {}", copies.display()))?;
        for entry in modules.read_dir().doing(reading)? {
            let entry = entry.doing(reading)?;
            std::fs::copy(entry.path(), copies.join(entry.file_name())).doing(reading)?;
        }
    }
    Ok(to)
}

/// All that is needed to start VMMs, in the tmpfs.
struct Bench {
    vmms: Vec<Vmm>,
    one_page: Guest,
    linux: ByKernel<Guest>,
    /// The files that a VMM may map as guest RAM.
    guest_files: Vec<PathBuf>,
    strace: PathBuf,
}

impl Bench {
    fn prepare(plan: &Plan, kernels: &ByKernel<PathBuf>) -> Result<Bench, Error> {
        let dir = Path::new(TMPFS);
        let vmms = plan.vmms.iter().map(|vmm| vmm.copy(dir)).collect::<Result<_, Error>>()?;
        let one_page = copy(&plan.one_page, dir, "one-page")?;
        let initramfs = copy(&plan.initramfs, dir, "initramfs")?;
        let linux = |kernel: &Path, words: &str| {
            Guest::new(kernel, Some(&initramfs), words, kernel.with_file_name("linux.json"))
        };
        let words = &plan.boot_arguments;
        let linux = ByKernel {
            debian: linux(&kernels.debian, &words.debian)?,
            own: linux(&kernels.own, &words.own)?,
        };
        Ok(Bench {
            vmms,
            one_page: Guest::new(&one_page, None, "", dir.join("one-page.json"))?,
            linux,
            guest_files: vec![kernels.debian.clone(), kernels.own.clone()],
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
            each(&mut figures, &|vmm, figures| self.start_debian(vmm, figures))?;
            each(&mut figures, &|vmm, figures| self.start_own(vmm, figures))?;
        }
        for (vmm, figures) in self.vmms.iter().zip(&mut figures) {
            let values = [
                &mut figures.one_page,
                &mut figures.linux.debian,
                &mut figures.linux.own,
                &mut figures.resident,
                &mut figures.resident_with_guest,
            ];
            values.into_iter().filter(|values| !values.is_empty()).for_each(|values| {
                values.remove(0);
            });
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

    fn start_debian(&self, vmm: &Vmm, figures: &mut Figures) -> Result<(), Error> {
        if vmm.kind == Kind::FirecrackerWithoutFilters {
            return Ok(());
        }
        let mut running = Running::start(&vmm.arguments(&self.linux.debian))?;
        figures.linux.debian.push(nanoseconds(running.wait_for_line()?.last));
        running.stop().map(drop)
    }

    fn start_own(&self, vmm: &Vmm, figures: &mut Figures) -> Result<(), Error> {
        if vmm.kind == Kind::FirecrackerWithoutFilters {
            return Ok(());
        }
        let mut running = Running::start(&vmm.arguments(&self.linux.own))?;
        figures.linux.own.push(nanoseconds(running.wait_for_line()?.last));
        thread::sleep(SETTLING);
        let guest_files: Vec<&Path> = self.guest_files.iter().map(PathBuf::as_path).collect();
        let (mut resident, mut with_guest) = (0, 0);
        for proc in running.procs() {
            resident += memory::outside_guest_ram(&proc, &guest_files)?;
            with_guest += memory::Rollup::of(&proc)?.rss_kib;
        }
        figures.resident.push(resident);
        figures.resident_with_guest.push(with_guest);
        figures.messages = running.stop()?;
        Ok(())
    }
}
