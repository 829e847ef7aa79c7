//! Where a test executable runs: here, or in an emulated host.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::libtest::{self, Outcome};
use super::suite::Suite;
use super::tally::Tally;
use crate::arch::Arch;
use crate::build::Binaries;
use crate::error::{Doing, Error};
use crate::host::{self, Host, Options, Stdio};
use crate::run::bare;
use crate::tool;

/// The tests of one file take a minute or two.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// What tests find in their environment, and whether they need another machine.
pub struct Place<'a> {
    /// Besides what xtask has in its own.
    environment: Vec<(OsString, OsString)>,
    bare_guest: [&'a Path; 2],
    /// Why this machine's KVM can't run Linux.
    obstacle: Option<&'a str>,
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

/// Tests that need another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Those that are ignored without one.
    Ignored,
    /// All of the executable: some ran and could not do their work.
    All,
}

/// An executable's exit status and its whole output.
struct Ended {
    status: i32,
    output: String,
}

impl<'a> Place<'a> {
    /// `kernel` and `bare_guest` become `BULKHEAD_KERNEL` and `BULKHEAD_BARE_GUEST`; the folder of `binaries` is first on the PATH.
    pub fn new(
        binaries: &'a Binaries,
        kernel: &Path,
        bare_guest: &'a Path,
        obstacle: Option<&'a str>,
    ) -> Place<'a> {
        let mut path = binaries.folder().as_os_str().to_owned();
        if let Some(rest) = std::env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        let own = [
            ("PATH", path),
            ("BULKHEAD_KERNEL", kernel.into()),
            ("BULKHEAD_BARE_GUEST", bare_guest.into()),
        ];
        let environment = own.map(|(key, value)| (key.into(), value)).into();
        Place { environment, bare_guest: [&binaries.vmm, bare_guest], obstacle }
    }

    /// A line that says where guests run.
    pub fn describe(&self) -> String {
        match self.obstacle {
            None => "guests run on this machine's KVM".to_owned(),
            Some(why) => format!("Linux guests run in emulated hosts: {why}"),
        }
    }

    /// Runs a test executable here. What needs KVM is left for [`run_in_host`](Place::run_in_host).
    pub fn run_here(&self, suite: &Suite) -> Result<Ran, Error> {
        if self.obstacle.is_none() {
            return Ok(understand(self.here(suite, &["--include-ignored"])?).0);
        }
        let (mut ran, outcome) = understand(self.here(suite, &[])?);
        if outcome.ignored_for_qemu {
            let (more, _) = understand(self.here(suite, &["--ignored"])?);
            ran.tally.add(more.tally);
            ran.told += &more.told;
        }
        if outcome.skipped_for_kvm {
            return Ok(Ran { left: Some(Left::All), ..Ran::default() });
        }
        ran.left = outcome.ignored_for_kvm.then_some(Left::Ignored);
        Ok(ran)
    }

    /// Runs in an emulated host what `run_here` left.
    pub fn run_in_host(&self, suite: &Suite, left: Left) -> Result<Ran, Error> {
        let which = match left {
            Left::Ignored => "--ignored",
            Left::All => "--include-ignored",
        };
        // One at a time: guests that wait for each other's processor time out.
        let words = ["--show-output", "--test-threads=1", which].map(OsString::from);
        let command = std::iter::once(suite.path.clone().into()).chain(words);
        Ok(understand(self.host_run(command.collect(), &suite.directory)?).0)
    }

    fn here(&self, suite: &Suite, arguments: &[&str]) -> Result<Ended, Error> {
        let (mut capture, stdio) = capture()?;
        let mut command = Command::new(&suite.path);
        command.arg("--show-output").args(arguments).current_dir(&suite.directory);
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        command.stdin(stdio.stdin).stdout(stdio.stdout).stderr(stdio.stderr);
        let status = command.status().doing(|| format!("start {}", suite.path.display()))?;
        Ok(Ended { status: status.code().unwrap_or(1), output: read(&mut capture)? })
    }

    fn host_run(&self, arguments: Vec<OsString>, directory: &Path) -> Result<Ended, Error> {
        let (mut capture, stdio) = capture()?;
        let mut host = Host::start(&Options { timeout: Some(TIME_LIMIT), ..Options::default() })?;
        let mut process = host::process(Arch::NATIVE, arguments)?;
        process.directory = directory.into();
        process.environment.retain(|(key, _)| self.environment.iter().all(|(own, _)| key != own));
        process.environment.extend(self.environment.iter().cloned());
        let result = host.run(process, stdio);
        let output = read(&mut capture)?;
        match result {
            Ok(status) => Ok(Ended { status: status.into(), output }),
            Err(error) => Err(Error::Content(format!("{output}\n{error}"))),
        }
    }

    /// The bare guest's checks, for a machine without any KVM.
    pub fn bare_guest_in_host(&self) -> Result<Tally, Error> {
        let [vmm, kernel] = self.bare_guest;
        let command = [tool::own_path(), Path::new(bare::INNER_COMMAND), vmm, kernel];
        let ended = self.host_run(command.map(OsString::from).to_vec(), Path::new("/"))?;
        bare::Report::read(&ended.output).map(Tally::from)
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
