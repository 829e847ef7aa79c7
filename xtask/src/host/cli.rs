//! `cargo xtask host`.

use std::cmp::Reverse;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, SystemTime};

use clap::Args;

use super::{Cpu, Host, Options, Process, Stdio, Trial, terminal, words};
use crate::arch::Arch;
use crate::error::{Doing, Error};
use crate::toolchain;

const EXAMPLES: &str = "\
Examples:
  cargo xtask host -- ls -l /dev/kvm      run one command in a machine with KVM
  echo hello | cargo xtask host -- cat    its input, output and exit status are the command's
  cargo xtask host                        a shell, when there is a terminal
  cargo xtask host --arch aarch64 -- ls -l /dev/kvm

The host's root is this machine's own file system, so all paths are the same inside.
Only /dev, /proc, /sys and /run are its own. Of what `cargo xtask build` and `run` made the newer is on the PATH.
A host of another architecture has /home, /root, /srv, /tmp and whatever else belongs to users
in common with this machine, and Debian's programs in a system of its own.";

/// Run a command in an emulated machine with KVM
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct HostArgs {
    /// The host's architecture [default: this machine's]
    #[arg(long, value_enum, default_value_t = Arch::NATIVE, hide_default_value = true)]
    arch: Arch,
    /// The processor of an aarch64 host
    #[arg(long, value_enum)]
    cpu: Option<Cpu>,
    /// Stop the host after this many seconds; 0 is no limit [default: 300, for a shell 0]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Make the host's clock count instructions instead of time (one each nanosecond)
    #[arg(long)]
    icount: bool,
    /// The host's memory in MiB
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u32).range(512..))]
    memory: u32,
    /// Words to add to the host kernel's command line
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    host_words: Option<String>,
    /// Show the host kernel's console on stderr
    #[arg(long, short)]
    verbose: bool,
    /// The command and its arguments; a shell when none is given
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl HostArgs {
    /// Runs the command; its exit status.
    pub fn run(self) -> Result<u8, Error> {
        let shell = self.command.is_empty();
        if shell && !std::io::stdin().is_terminal() {
            let message = "name a command after `--`: without a terminal there is no shell to use";
            return Err(Error::Usage(message.into()));
        }
        if self.cpu.is_some() && self.arch != Arch::Aarch64 {
            let message = "--cpu is for an aarch64 host: the x86_64 host has one kind of processor";
            return Err(Error::Usage(message.into()));
        }
        let seconds = self.timeout.unwrap_or(if shell { 0 } else { 300 });
        let options = Options {
            arch: self.arch,
            cpu: self.cpu.unwrap_or_default(),
            timeout: (seconds > 0).then(|| Duration::from_secs(seconds)),
            icount: self.icount,
            memory_mib: self.memory,
            verbose: self.verbose,
            trial: Trial { kernel_words: words(self.host_words.as_deref()), ..Trial::default() },
            ..Options::default()
        };
        let command = if shell { vec!["/bin/sh".into()] } else { self.command };
        let mut programs =
            [toolchain::release_folder(self.arch), toolchain::quick_folder(self.arch)];
        programs.sort_by_key(|folder| Reverse(built(folder)));
        let [newer, older] = &programs;
        run_in_foreground(&options, process(self.arch, &[newer, older], command)?)
    }
}

/// When the programs in a folder were built, if any are there.
fn built(folder: &Path) -> Option<SystemTime> {
    fs::metadata(folder.join("bulkhead")).and_then(|program| program.modified()).ok()
}

/// Locks on the shared root are not seen outside: what lives as long as a process belongs on the host's own `/run`. Else
/// a command in one host takes the folders of another's running VMs for left-overs.
const RUNTIME_DIR: (&str, &str) = ("XDG_RUNTIME_DIR", "/run");

/// The PATH of a Debian system.
const DEBIAN_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command for the host of one architecture, with this process's working directory and environment, and with our binaries on
/// its PATH, which are in the folders `binaries`.
pub fn process(arch: Arch, binaries: &[&Path], arguments: Vec<OsString>) -> Result<Process, Error> {
    let directory = std::env::current_dir().doing(|| "find the working directory".into())?;
    let mut environment: Vec<_> = std::env::vars_os().collect();
    environment.retain(|(key, _)| key != RUNTIME_DIR.0 && key != "PATH");
    environment.push((RUNTIME_DIR.0.into(), RUNTIME_DIR.1.into()));
    let path = std::env::var_os("PATH").filter(|_| arch == Arch::NATIVE);
    let path = path.unwrap_or_else(|| DEBIAN_PATH.into());
    environment.push(("PATH".into(), join(binaries, &path)));
    Ok(Process {
        arguments,
        environment,
        directory: directory.into(),
        files: Vec::new(),
        terminal: None,
    })
}

fn join(folders: &[&Path], path: &OsStr) -> OsString {
    let folders = folders.iter().map(|folder| folder.as_os_str());
    folders.chain([path]).collect::<Vec<_>>().join(OsStr::new(":"))
}

/// Runs `process` in a fresh host as if it were this process: with its terminal if there is one,
/// with its streams and with the signals that it gets.
pub fn run_in_foreground(options: &Options, mut process: Process) -> Result<u8, Error> {
    process.terminal = terminal::size();
    terminal::hold_signals();
    let mut host = Host::start(options)?;
    let stdio = Stdio::inherit().doing(|| "duplicate the standard streams".into())?;
    terminal::forward(host.control());
    let raw = process.terminal.map(|_| terminal::Raw::enter()).transpose();
    let raw = raw.doing(|| "set up the terminal".to_owned())?;
    let result = host.run(process, stdio);
    drop(raw);
    result
}
