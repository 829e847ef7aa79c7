//! An emulated host in which tests run, those of several executables one after the other.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use super::capture::{Capture, Ended};
use super::libtest;
use crate::arch::Arch;
use crate::error::Error;
use crate::host::{self, Cpu, Host, Options, Process};
use crate::toolchain::tested_folder;

/// The tests of one file take a few minutes, beside compilers ten. Beyond this they hang, and are ended.
pub const TIME_LIMIT: Duration = Duration::from_secs(1200);

/// A host that has run for so long is not used again: the time limit is for all that run in it.
const SHARED_FOR: Duration = Duration::from_secs(240);

/// Some tests start tools that take a gigabyte.
const HOST_MEMORY_MIB: u32 = 3072;

/// The folder in a host for what lives as long as a test executable's processes, and for its temporary files: a file system
/// that can do all that one can be asked for. The host's `/tmp` is this machine's, and each access a request to it.
const OWN_FOLDER: &str = "/run/tests";

/// Runs a program with that folder. What can't be removed of it is seen when looking round.
const WITH_OWN_FOLDER: &str = r#"
mkdir "$0" && mkdir -m 1777 "$0/tmp" || exit
"$@"
status=$?
rm -rf "$0"
exit $status
"#;

/// Prints what tests may leave in a host: processes besides the agent and this shell, mounts, and files of running VMs.
const LOOK_ROUND: &str = r#"
set -- /proc/[0-9]*/exe
ls -l "$@" 2>/dev/null | grep -c ' -> '
cat /proc/mounts
ls /run
"#;

/// A host.
pub struct Machine {
    arch: Arch,
    host: Host,
    since: Instant,
    /// What it looked like before it was used.
    untouched: String,
}

impl Machine {
    /// Starts one.
    pub fn start(arch: Arch, cpu: Option<Cpu>) -> Result<Machine, Error> {
        let host = Host::start(&Options {
            arch,
            cpu: cpu.unwrap_or_default(),
            timeout: Some(TIME_LIMIT),
            memory_mib: HOST_MEMORY_MIB,
            ..Options::default()
        })?;
        let mut machine = Machine { arch, host, since: Instant::now(), untouched: String::new() };
        machine.untouched = machine.look_round()?;
        Ok(machine)
    }

    /// Its architecture.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Whether nothing that ran in it has left anything, and there is time for more.
    pub fn is_as_new(&mut self) -> bool {
        self.since.elapsed() < SHARED_FOR
            && self.look_round().is_ok_and(|seen| seen == self.untouched)
    }

    fn look_round(&mut self) -> Result<String, Error> {
        let command = ["sh", "-c", LOOK_ROUND].map(OsString::from);
        let process = host::process(self.arch, &[&tested_folder(self.arch)], command.to_vec())?;
        Ok(self.run(process)?.output)
    }

    /// Runs a test program to its end in the folder `directory`, with these variables in its environment.
    pub fn test(
        &mut self,
        command: Vec<OsString>,
        directory: &Path,
        variables: &[(&str, &Path)],
    ) -> Result<Ended, Error> {
        let temporary = Path::new(OWN_FOLDER).join("tmp");
        let own = [("XDG_RUNTIME_DIR", Path::new(OWN_FOLDER)), ("TMPDIR", &temporary)];
        let wrapper = ["sh", "-c", WITH_OWN_FOLDER, OWN_FOLDER].map(OsString::from);
        let command = wrapper.into_iter().chain(command).collect();
        let mut process = host::process(self.arch, &[&tested_folder(self.arch)], command)?;
        process.directory = directory.into();
        for (key, value) in variables.iter().chain(&own) {
            process.environment.retain(|(other, _)| other != key);
            process.environment.push((key.into(), value.into()));
        }
        self.run(process)
    }

    fn run(&mut self, process: Process) -> Result<Ended, Error> {
        let (capture, stdio) = Capture::new()?;
        let result = self.host.run(process, stdio);
        let output = capture.read()?;
        match result {
            Ok(status) => Ok(Ended { status: status.into(), output }),
            // What has failed before that has failed.
            Err(Error::StoodStill(why)) if !libtest::has_failure(&output) => {
                // The program runs again: what it had printed by then is told here or never.
                println!("{}", output.trim_end());
                Err(Error::StoodStill(why))
            }
            Err(error) => Err(Error::Content(format!("{output}\n{error}"))),
        }
    }
}
