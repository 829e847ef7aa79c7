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
use crate::build::Binaries;
use crate::error::{Doing, Error};
use crate::host::{Host, Options, Process, Stdio};
use crate::run::bare;
use crate::tool;

/// The tests of one file take a minute or two.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// What tests find in their environment, and whether they need another machine.
pub struct Place<'a> {
    environment: Vec<(OsString, OsString)>,
    bare_guest: [&'a Path; 2],
    /// Why this machine's KVM can't run Linux.
    obstacle: Option<&'a str>,
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
        let mut environment: Vec<_> = std::env::vars_os().collect();
        environment.retain(|(key, _)| own.iter().all(|(name, _)| key != name));
        environment.extend(own.map(|(key, value)| (key.into(), value)));
        Place { environment, bare_guest: [&binaries.vmm, bare_guest], obstacle }
    }

    /// A line that says where guests run.
    pub fn describe(&self) -> String {
        match self.obstacle {
            None => "guests run on this machine's KVM".to_owned(),
            Some(why) => format!("Linux guests run in emulated hosts: {why}"),
        }
    }

    /// Runs a test executable here, and there what can't run here.
    pub fn run(&self, suite: &Suite) -> Result<Tally, Error> {
        if self.obstacle.is_none() {
            return Ok(understand(suite, self.here(suite, &["--include-ignored"])?).tally);
        }
        let mut outcome = understand(suite, self.here(suite, &[])?);
        if outcome.skipped_for_kvm {
            return Ok(understand(suite, self.in_host(suite, &["--include-ignored"])?).tally);
        }
        if outcome.ignored_for_qemu {
            outcome.tally.add(understand(suite, self.here(suite, &["--ignored"])?).tally);
        }
        if outcome.ignored_for_kvm {
            outcome.tally.add(understand(suite, self.in_host(suite, &["--ignored"])?).tally);
        }
        Ok(outcome.tally)
    }

    fn here(&self, suite: &Suite, arguments: &[&str]) -> Result<Ended, Error> {
        let (mut capture, stdio) = capture()?;
        let mut command = Command::new(&suite.path);
        command.arg("--show-output").args(arguments).current_dir(&suite.directory);
        command.env_clear().envs(self.environment.iter().map(|(key, value)| (key, value)));
        command.stdin(stdio.stdin).stdout(stdio.stdout).stderr(stdio.stderr);
        let status = command.status().doing(|| format!("start {}", suite.path.display()))?;
        Ok(Ended { status: status.code().unwrap_or(1), output: read(&mut capture)? })
    }

    fn in_host(&self, suite: &Suite, arguments: &[&str]) -> Result<Ended, Error> {
        // One at a time: guests that wait for each other's processor time out.
        let words = ["--show-output", "--test-threads=1"].iter().chain(arguments);
        let command = std::iter::once(suite.path.clone().into()).chain(words.map(OsString::from));
        self.host_run(command.collect(), &suite.directory)
    }

    fn host_run(&self, arguments: Vec<OsString>, directory: &Path) -> Result<Ended, Error> {
        let (mut capture, stdio) = capture()?;
        let mut host = Host::start(&Options { timeout: Some(TIME_LIMIT), ..Options::default() })?;
        let process = Process {
            arguments,
            environment: self.environment.clone(),
            directory: directory.into(),
            files: Vec::new(),
            terminal: None,
        };
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

/// Counts, and prints the output of a failure.
fn understand(suite: &Suite, ended: Ended) -> Outcome {
    let mut outcome = libtest::parse(&ended.output).unwrap_or_default();
    if ended.status != 0 {
        println!("{}\n{} ended with status {}", ended.output.trim_end(), suite.name, ended.status);
        outcome.tally.failed = outcome.tally.failed.max(1);
    }
    outcome
}
