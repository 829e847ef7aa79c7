//! Where a test executable runs: on this machine, or in an emulated host. And what it finds there.

mod lives;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;

use host::kvm::Kvm;

use super::capture::{Capture, Ended};
use super::distribution;
use super::libtest;
use super::machine::{Machine, TIME_LIMIT};
use super::packages;
use super::part::Part;
use super::ran::{Left, Ran, understand};
use super::suite::Suite;
use super::tally::Tally;
use crate::arch::Arch;
use crate::build::{self, Binaries};
use crate::error::{Doing, Error};
use crate::host::Cpu;
use crate::kernel::Choice;
use crate::run::bare;
use crate::soak::bare::Soak;
use crate::soak::random::new_seed;
use crate::tool::joined;
use crate::watchdog::Watchdog;

/// Starts of the short soak: some seconds, and each kind of round many times.
const SOAK_ROUNDS: u32 = 200;

/// Beside compilers and emulated hosts.
const SOAK_JOBS: u32 = 2;

/// How many inputs a property test is given by default, where a machine is emulated that takes ten times as long, and the same
/// property has had four times as many on this one.
const FOREIGN_CASES: &str = "64";

/// Where the tests of one architecture run.
#[derive(Clone)]
pub struct Place {
    /// Their architecture.
    pub arch: Arch,
    /// The processor of the emulated aarch64 hosts.
    pub cpu: Option<Cpu>,
    /// What this machine's KVM can do for them.
    kvm: Kvm,
    binaries: Binaries,
    bare_guest: PathBuf,
    kernel: PathBuf,
    /// What images are made of.
    packages: PathBuf,
    /// A root file system of programs that guests run, where those boot our own kernel: no other is tried so.
    distribution: Option<PathBuf>,
    /// A root file system for each of the servers that clients on the host talk to.
    servers: PathBuf,
}

impl Place {
    /// Builds and downloads what tests of `arch` use. `cpu` asks for emulated hosts with that processor.
    pub fn provide(arch: Arch, cpu: Option<Cpu>, kernel: Choice) -> Result<Place, Error> {
        let (binaries, bare_guest, downloads) = thread::scope(|scope| {
            let downloads = scope.spawn(move || {
                let distribution = (kernel == Choice::Own).then(|| distribution::provide(arch));
                let servers = distribution::servers(arch)?;
                Ok((packages::provide(arch)?, distribution.transpose()?, servers))
            });
            let binaries = Binaries::tested(arch)?;
            let bare_guest = build::bare_guest(arch)?;
            // What starts its emulated hosts: none has to wait for it then.
            build::xtask(arch)?;
            Ok::<_, Error>((binaries, bare_guest, joined(downloads)?))
        })?;
        let (packages, distribution, servers) = downloads;
        let kernel = kernel.provide(arch)?;
        let kvm = match cpu {
            Some(_) => Kvm::None("--cpu asks for them".into()),
            None if arch == Arch::NATIVE => Kvm::probe(&binaries.vmm)?,
            None => Kvm::None(format!("this machine is an {} one", Arch::NATIVE.name())),
        };
        Ok(Place { arch, cpu, kvm, binaries, bare_guest, kernel, packages, distribution, servers })
    }

    /// The same place, whose guests boot another kernel.
    pub fn with_kernel(&self, kernel: Choice) -> Result<Place, Error> {
        Ok(Place { kernel: kernel.provide(self.arch)?, ..self.clone() })
    }

    /// A line that says where guests run.
    pub fn describe(&self) -> String {
        let arch = self.arch.name();
        match self.kvm.obstacle() {
            None => format!("{arch} guests run on this machine's KVM"),
            Some(why) => format!("{arch} Linux guests run in emulated hosts: {why}"),
        }
    }

    /// The bare guest's checks, if there is a KVM for them here.
    pub fn bare_guest_here(&self) -> Result<Ran, Error> {
        if let Kvm::None(_) = self.kvm {
            return Ok(Ran { left: Some(Left::All), ..Ran::default() });
        }
        let report = bare::report(&self.binaries.vmm, &self.bare_guest, |_| ())?;
        Ok(Tally::from(report).into())
    }

    /// A short soak with the bare guest, if this is a machine for it: one test for each kind of its rounds.
    pub fn soak_here(&self) -> Result<Ran, Error> {
        if !self.has_native_tests() {
            return Ok(Ran::default());
        }
        if let Kvm::None(why) = &self.kvm {
            let skipped = vec![format!("no KVM to use: {why}")];
            return Ok(Tally { skipped, ..Tally::default() }.into());
        }
        let soak = Soak {
            vmm: self.binaries.vmm.clone(),
            kernel: self.bare_guest.clone(),
            seed: new_seed(),
            rounds: SOAK_ROUNDS,
            jobs: SOAK_JOBS,
        };
        let told = Mutex::new(String::new());
        let tell = |text: &str| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            *told += &format!("{text}\n");
        };
        let (passed, failed) = soak.run(&tell)?.kinds();
        let told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
        let tally = Tally { passed, failed, ..Tally::default() };
        Ok(Ran { tally, told, left: None })
    }

    /// The bare guest's checks in an emulated host.
    pub fn bare_guest_in(&self, machine: &mut Machine) -> Result<Ran, Error> {
        let xtask = build::xtask(self.arch)?;
        let command =
            [&xtask, Path::new(bare::INNER_COMMAND), &self.binaries.vmm, &self.bare_guest];
        let command = command.map(OsString::from).to_vec();
        let ended = machine.test(command, Path::new("/"), &self.environment())?;
        bare::Report::read(&ended.output).map(|report| Tally::from(report).into())
    }

    /// Runs a test executable here if it is for this machine. What needs KVM, or another machine or processor, is left
    /// for [`run_in`](Place::run_in).
    pub fn run_here(&self, suite: &Suite) -> Result<Ran, Error> {
        if !self.has_native_tests() {
            let left = if self.cpu.is_some() { Left::Ignored } else { Left::All };
            return Ok(Ran { left: Some(left), ..Ran::default() });
        }
        if self.kvm == Kvm::Linux {
            return Ok(understand(self.here(suite, &["--include-ignored"])?).0);
        }
        let (mut ran, outcome) = understand(self.here(suite, &[])?);
        if outcome.ignored_for_qemu {
            ran.left = Some(Left::StartsHosts);
            return Ok(ran);
        }
        if outcome.skipped_for_kvm {
            return Ok(Ran { left: Some(Left::All), ..Ran::default() });
        }
        ran.left = outcome.ignored_for_kvm.then_some(Left::Ignored);
        Ok(ran)
    }

    /// Something of [`run_here`](Place::run_here) is done here.
    fn has_native_tests(&self) -> bool {
        self.arch == Arch::NATIVE && self.cpu.is_none()
    }

    /// Runs what `run_here` left because it starts emulated hosts by itself.
    pub fn run_with_own_hosts(&self, suite: &Suite) -> Result<Ran, Error> {
        Ok(understand(self.here(suite, &["--ignored"])?).0)
    }

    /// Runs a part of what `run_here` left in an emulated host.
    pub fn run_in(
        &self,
        machine: &mut Machine,
        suite: &Suite,
        left: Left,
        part: Part,
    ) -> Result<Ran, Error> {
        let which = if left == Left::Ignored { "--ignored" } else { "--include-ignored" };
        // One at a time: guests that wait for each other's processor time out.
        let words = ["--show-output", "--test-threads=1", which];
        if part.is_whole() {
            return Ok(understand(self.there(machine, suite, &words)?).0);
        }
        let listed = self.there(machine, suite, &["--list", "--format=terse", which])?;
        let tests = part.choose(&libtest::list(&listed.output));
        if tests.is_empty() {
            return Ok(Ran::default());
        }
        let names = tests.iter().map(String::as_str);
        let words: Vec<&str> = words.into_iter().chain(["--exact"]).chain(names).collect();
        let mut ran = understand(self.there(machine, suite, &words)?).0;
        if ran.tally.failed == 0 && ran.tally.count() != tests.len() {
            ran.told += &format!("of {} tests {} ran\n", tests.len(), ran.tally.count());
            ran.tally.failed = 1;
        }
        Ok(ran)
    }

    fn there(
        &self,
        machine: &mut Machine,
        suite: &Suite,
        arguments: &[&str],
    ) -> Result<Ended, Error> {
        let mut command: Vec<OsString> = vec![suite.path.clone().into()];
        command.extend(arguments.iter().map(OsString::from));
        machine.test(command, &suite.directory, &self.environment())
    }

    fn here(&self, suite: &Suite, arguments: &[&str]) -> Result<Ended, Error> {
        let mut command = vec![suite.path.clone().into(), "--show-output".into()];
        command.extend(arguments.iter().map(OsString::from));
        self.run_command(command, &suite.directory)
    }

    /// Runs a test program here.
    fn run_command(&self, words: Vec<OsString>, directory: &Path) -> Result<Ended, Error> {
        let (capture, stdio) = Capture::new()?;
        let [program, arguments @ ..] = &words[..] else {
            return Err(Error::Content("no test program".into()));
        };
        let name = program.display();
        let mut command = Command::new(program);
        command.args(arguments).current_dir(directory);
        let mut path = self.binaries.folder().as_os_str().to_owned();
        if let Some(rest) = std::env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        command.env("PATH", path).envs(self.environment());
        command.stdin(stdio.stdin).stdout(stdio.stdout).stderr(stdio.stderr);
        let doing = || format!("run {name}");
        let mut child = command.spawn().doing(doing)?;
        let watchdog = Watchdog::start(&child, Some(TIME_LIMIT))?;
        let status = child.wait().doing(doing)?;
        let output = capture.read()?;
        match watchdog.expired() {
            None => Ok(Ended { status: status.code().unwrap_or(1), output }),
            Some(limit) => {
                Err(Error::Content(format!("{output}\n{name} did not end in {limit:?}")))
            }
        }
    }

    /// What tests find in their environment.
    fn environment(&self) -> Vec<(&'static str, &Path)> {
        let all = [
            ("BULKHEAD_KERNEL", Some(&self.kernel)),
            ("BULKHEAD_BARE_GUEST", Some(&self.bare_guest)),
            ("BULKHEAD_PACKAGES", Some(&self.packages)),
            ("BULKHEAD_DISTRIBUTION", self.distribution.as_ref()),
            ("BULKHEAD_SERVERS", Some(&self.servers)),
        ];
        let paths = all.into_iter().filter_map(|(name, path)| Some((name, path?.as_path())));
        let is_foreign = self.arch != Arch::NATIVE;
        paths.chain(is_foreign.then(|| ("PROPTEST_CASES", Path::new(FOREIGN_CASES)))).collect()
    }
}
