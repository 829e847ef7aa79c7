//! Where a test executable runs: on this machine, or in an emulated host.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use runtime::kvm::Kvm;

use super::libtest::{self, Outcome};
use super::packages;
use super::suite::Suite;
use super::tally::Tally;
use crate::arch::Arch;
use crate::build::{self, Binaries};
use crate::error::{Doing, Error};
use crate::host::{self, Cpu, Host, Options, Stdio};
use crate::kernel::Choice;
use crate::run::bare;
use crate::watchdog::Watchdog;

/// The tests of one file take a few minutes, beside compilers ten. Beyond this they hang, and are ended.
const TIME_LIMIT: Duration = Duration::from_secs(1200);

/// Some tests start tools that take a gigabyte.
const HOST_MEMORY_MIB: u32 = 3072;

/// The start of the names of tests that want all that a file system can be asked for, extended attributes too, and the place
/// where an emulated host has that. Its `/tmp` is this machine's, on virtiofs.
const FILE_TESTS: &str = "runtime: ";
const HOST_TMPFS: &str = "/run";

/// Where the tests of one architecture run.
#[derive(Clone)]
pub struct Place {
    /// Their architecture.
    pub arch: Arch,
    /// The processor of the emulated aarch64 hosts.
    cpu: Option<Cpu>,
    /// What this machine's KVM can do for them.
    kvm: Kvm,
    binaries: Binaries,
    bare_guest: PathBuf,
    kernel: PathBuf,
    /// What images are made of, on this machine: the emulated host of another architecture would take too long.
    packages: Option<PathBuf>,
}

/// What came of running a test executable.
#[derive(Debug, Default)]
pub struct Ran {
    /// Its results.
    pub tally: Tally,
    /// Its output when something failed.
    pub told: String,
    /// What has to run in an emulated host.
    pub left: Option<Left>,
}

impl From<Tally> for Ran {
    fn from(tally: Tally) -> Ran {
        Ran { tally, ..Ran::default() }
    }
}

/// Tests that run side by side with others, because they need another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Those that are ignored without one.
    Ignored,
    /// All of the executable: some ran and could not do their work.
    All,
    /// Those that were ignored, here: they start emulated hosts by themselves.
    StartsHosts,
}

/// An executable's exit status and its whole output.
struct Ended {
    status: i32,
    output: String,
}

impl Place {
    /// Builds and downloads what tests of `arch` use. `cpu` asks for emulated hosts with that processor.
    pub fn provide(arch: Arch, cpu: Option<Cpu>, kernel: Choice) -> Result<Place, Error> {
        let binaries = Binaries::build(arch)?;
        let bare_guest = build::bare_guest(arch)?;
        let kernel = kernel.provide(arch)?;
        let kvm = match cpu {
            Some(_) => Kvm::None("--cpu asks for them".into()),
            None if arch == Arch::NATIVE => Kvm::probe(&binaries.vmm)?,
            None => Kvm::None(format!("this machine is an {} one", Arch::NATIVE.name())),
        };
        let native = arch == Arch::NATIVE && cpu.is_none();
        let packages = native.then(packages::provide).transpose()?;
        Ok(Place { arch, cpu, kvm, binaries, bare_guest, kernel, packages })
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

    /// The same in an emulated host.
    pub fn bare_guest_in_host(&self) -> Result<Ran, Error> {
        let xtask = build::xtask(self.arch)?;
        let command =
            [&xtask, Path::new(bare::INNER_COMMAND), &self.binaries.vmm, &self.bare_guest];
        let ended = self.host_run(command.map(OsString::from).to_vec(), Path::new("/"), None)?;
        bare::Report::read(&ended.output).map(|report| Tally::from(report).into())
    }

    /// Runs a test executable here if it is for this machine. What needs KVM, or another machine or processor, is left
    /// for [`run_with_hosts`](Place::run_with_hosts).
    pub fn run_here(&self, suite: &Suite) -> Result<Ran, Error> {
        if self.arch != Arch::NATIVE || self.cpu.is_some() {
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

    /// Runs with emulated hosts what `run_here` left.
    pub fn run_with_hosts(&self, suite: &Suite, left: Left) -> Result<Ran, Error> {
        let which = match left {
            Left::Ignored => "--ignored",
            Left::All => "--include-ignored",
            Left::StartsHosts => return Ok(understand(self.here(suite, &["--ignored"])?).0),
        };
        // One at a time: guests that wait for each other's processor time out.
        let words = ["--show-output", "--test-threads=1", which].map(OsString::from);
        let command = std::iter::once(suite.path.clone().into()).chain(words);
        let folder = suite.name.starts_with(FILE_TESTS).then_some(HOST_TMPFS);
        Ok(understand(self.host_run(command.collect(), &suite.directory, folder)?).0)
    }

    /// What tests find in their environment.
    fn environment(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let packages = self.packages.as_deref().map(|packages| ("BULKHEAD_PACKAGES", packages));
        [("BULKHEAD_KERNEL", &*self.kernel), ("BULKHEAD_BARE_GUEST", &self.bare_guest)]
            .into_iter()
            .chain(packages)
    }

    fn here(&self, suite: &Suite, arguments: &[&str]) -> Result<Ended, Error> {
        let (mut capture, stdio) = capture()?;
        let mut command = Command::new(&suite.path);
        command.arg("--show-output").args(arguments).current_dir(&suite.directory);
        let mut path = self.binaries.folder().as_os_str().to_owned();
        if let Some(rest) = std::env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        command.env("PATH", path).envs(self.environment());
        command.stdin(stdio.stdin).stdout(stdio.stdout).stderr(stdio.stderr);
        let doing = || format!("run {}", suite.path.display());
        let mut child = command.spawn().doing(doing)?;
        let watchdog = Watchdog::start(&child, Some(TIME_LIMIT))?;
        let status = child.wait().doing(doing)?;
        let output = read(&mut capture)?;
        match watchdog.expired() {
            None => Ok(Ended { status: status.code().unwrap_or(1), output }),
            Some(limit) => Err(Error::Content(format!(
                "{output}\n{} did not end in {limit:?}",
                suite.path.display()
            ))),
        }
    }

    /// `temporary` is for temporary files, if not the host's `/tmp`.
    fn host_run(
        &self,
        arguments: Vec<OsString>,
        directory: &Path,
        temporary: Option<&str>,
    ) -> Result<Ended, Error> {
        let (mut capture, stdio) = capture()?;
        let mut host = Host::start(&Options {
            arch: self.arch,
            cpu: self.cpu.unwrap_or_default(),
            timeout: Some(TIME_LIMIT),
            memory_mib: HOST_MEMORY_MIB,
            ..Options::default()
        })?;
        let mut process = host::process(self.arch, arguments)?;
        process.directory = directory.into();
        process.environment.retain(|(key, _)| self.environment().all(|(own, _)| key != own));
        let own = self.environment().map(|(key, value)| (key.into(), value.into()));
        process.environment.extend(own);
        process.environment.extend(temporary.map(|path| ("TMPDIR".into(), path.into())));
        let result = host.run(process, stdio);
        let output = read(&mut capture)?;
        match result {
            Ok(status) => Ok(Ended { status: status.into(), output }),
            Err(error) => Err(Error::Content(format!("{output}\n{error}"))),
        }
    }
}

/// A file without a name that takes a process's output, and the process's streams.
fn capture() -> Result<(File, Stdio), Error> {
    let doing = || "make a temporary file".to_owned();
    let file = tempfile::tempfile().doing(doing)?;
    let copy = || file.try_clone().map(OwnedFd::from).doing(doing);
    let stdin = File::open("/dev/null").doing(doing)?.into();
    let stdio = Stdio { stdin, stdout: copy()?, stderr: copy()? };
    Ok((file, stdio))
}

fn read(capture: &mut File) -> Result<String, Error> {
    let mut bytes = Vec::new();
    let result = capture.rewind().and_then(|()| capture.read_to_end(&mut bytes));
    result.doing(|| "read a test's output".into())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Counts, and keeps the output of a failure.
fn understand(ended: Ended) -> (Ran, Outcome) {
    let outcome = libtest::parse(&ended.output).unwrap_or_default();
    let mut ran = Ran { tally: outcome.tally.clone(), ..Ran::default() };
    if ended.status != 0 {
        ran.told = format!("{}\nended with status {}\n", ended.output.trim_end(), ended.status);
        ran.tally.failed = ran.tally.failed.max(1);
    }
    (ran, outcome)
}
