//! `cargo xtask soak`: starts guests by the hundred in emulated hosts, and tells a host that stands still from a VMM that
//! fails.
//!
//! Each host starts one guest after another, the VMMs in turns, and tells of each. Nothing in a host is relied on to notice
//! that nothing comes any more: a program outside does, by what the emulator has worked since, and then looks at where the
//! emulated processor stands.
//!
//! With `--bare` there is no emulated host: see [`bare`]. With `--lives` whole containers are started and killed: see [`lives`].

pub mod bare;
pub mod inside;
pub mod lives;
pub mod random;
mod table;
mod verdict;
mod watcher;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use ::host::kvm::Kvm;
use clap::{ArgGroup, Args};
use containers::guest::{self, command_line};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::arch::Arch;
use crate::bench::vmm::{self, Kind, Vmm};
use crate::bench::write_initramfs;
use crate::build::{self, Binaries};
use crate::error::{Doing, Error};
use crate::host::{self, Host, Options, Stdio, Trial, words};
use crate::kernel::Choice;
use crate::toolchain;
use bare::BareArgs;
use inside::{INNER_COMMAND, Plan};
use lives::Lives;
use random::new_seed;
use table::Table;
use watcher::{Ending, Watcher};

/// A host that was used for so many starts is as good as a new one; what went wrong in it is lost with it.
const STARTS_OF_A_HOST: usize = 50;

const EXAMPLES: &str = "\
Examples:
  cargo xtask soak                                          a hundred starts by bulkhead-vmm
  cargo xtask soak --peer firecracker=/usr/bin/firecracker  a hundred by each of the two, in turns
  cargo xtask soak --hosts 4 --starts 400                   in four hosts beside each other: a loaded machine
  cargo xtask soak --qemu /opt/qemu/bin/qemu-system-x86_64  with another emulator
  cargo xtask soak --qemu-words '-cpu max,-la57,-vgif'      with another emulated processor
  cargo xtask soak --icount --guest-words nohz=off          with the counted clock, and a guest that always ticks
  cargo xtask soak --bare                                   ten thousand starts of the bare guest on this machine's KVM
  cargo xtask soak --bare --seed 77 --rounds 1              the round that was told with this seed, again
  cargo xtask soak --lives 2000                             containers, killed at any moment, which leave nothing
  cargo xtask soak --bare --lives 2000                      likewise with our own guest, on this machine's KVM

The exit status is 1 when a VMM failed; a host that stood still is the emulator's fault, and counted by its kind.
With --bare it is 1 when a VMM did not end, or ended otherwise than it has to; with --lives when something was left.";

/// Start guests by the hundred, and tell a host that stands still from a VMM that fails
#[derive(Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("seeded").args(["bare", "lives"]).multiple(true))]
pub struct SoakArgs {
    /// Starts by each VMM
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    starts: u32,
    /// The hosts' architecture [default: this machine's]
    #[arg(long, value_enum, value_name = "ARCH", default_value_t = Arch::NATIVE, hide_default_value = true)]
    arch: Arch,
    /// Another VMM that takes turns with ours; NAME is firecracker or cloud-hypervisor
    #[arg(long, value_name = "NAME=PATH", value_parser = vmm::parse_vmm)]
    peer: Vec<Vmm>,
    /// Hosts that run beside each other
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    hosts: u32,
    /// The guests' kernel [default: the one that `cargo xtask test` takes]
    #[arg(long, value_name = "PATH")]
    kernel: Option<PathBuf>,
    /// Words to add to the guests' command line
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    guest_words: Option<String>,
    /// Words to add to the host kernel's command line
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    host_words: Option<String>,
    /// Another emulator
    #[arg(long, value_name = "PATH")]
    qemu: Option<PathBuf>,
    /// Words to add to the emulator's command line
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    qemu_words: Option<String>,
    /// Make the hosts' clock count instructions instead of time
    #[arg(long)]
    icount: bool,
    /// Look at the last lines of each host's console too
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    bare: BareArgs,
    /// Lives of containers: created, run, killed, removed, after which nothing may be left
    #[arg(long, value_name = "N", conflicts_with_all = OF_STARTS, value_parser = clap::value_parser!(u32).range(1..))]
    lives: Option<u32>,
    /// Where the rounds or lives begin [default: another one each time]
    #[arg(long, value_name = "N", requires = "seeded")]
    seed: Option<u64>,
}

/// What has no meaning where there is no emulated host.
const OF_HOSTS: [&str; 11] = [
    "starts",
    "arch",
    "peer",
    "hosts",
    "kernel",
    "guest_words",
    "host_words",
    "qemu",
    "qemu_words",
    "icount",
    "verbose",
];

/// What has no meaning for a life.
const OF_STARTS: [&str; 6] = ["starts", "peer", "guest_words", "icount", "rounds", "jobs"];

impl SoakArgs {
    /// Starts, and prints the table.
    pub fn run(self) -> Result<u8, Error> {
        let seed = self.seed.unwrap_or_else(new_seed);
        match (self.bare.bare, self.lives) {
            (true, None) => return self.bare.run(seed),
            (true, Some(count)) => return Self::bare_lives(seed, count)?.run(),
            (false, Some(count)) => return self.lives(seed, count)?.run(),
            (false, None) => {}
        }
        let peers = self.peer.iter();
        let peers = peers.map(|peer| Ok(Vmm { path: find(&peer.path)?, kind: peer.kind }));
        let mut vmms = peers.collect::<Result<Vec<Vmm>, Error>>()?;
        vmms.insert(0, Vmm { kind: Kind::Bulkhead, path: Binaries::release(self.arch)?.vmm });
        let folder = tempfile::tempdir().doing(|| "make a temporary folder".into())?;
        let initramfs = folder.path().join("initramfs");
        let programs = build::bare_guest(self.arch)?;
        write_initramfs(&initramfs, &programs.with_file_name("first-line"))?;
        let kernel = self.guest_kernel(Choice::Debian)?;
        let soak = Soak {
            plan: Plan {
                vmms,
                boot_arguments: self.boot_arguments(&kernel),
                kernel,
                initramfs,
                turns: 0..0,
            },
            options: self.options()?,
            xtask: build::xtask(self.arch)?,
        };
        let table = Table::new(&soak.plan.vmms, self.starts);
        let table = soak.run(table, self.hosts)?;
        print!("{table}");
        Ok(u8::from(table.has_failed()))
    }

    /// On this machine's KVM.
    fn bare_lives(seed: u64, count: u32) -> Result<Lives, Error> {
        let binaries = Binaries::quick(Arch::NATIVE)?;
        if let Kvm::None(why) = Kvm::probe(&binaries.vmm)? {
            return Err(Error::Missing(format!("--bare: there is no KVM to use: {why}")));
        }
        Lives::bare(binaries, build::bare_guest(Arch::NATIVE)?, (seed, count))
    }

    fn lives(&self, seed: u64, count: u32) -> Result<Lives, Error> {
        let kernel = self.guest_kernel(Choice::default())?;
        let binaries = Binaries::quick(self.arch)?;
        let is_here = self.arch == Arch::NATIVE && Kvm::probe(&binaries.vmm)? == Kvm::Linux;
        let lives = Lives::linux(self.arch, binaries, kernel, (seed, count))?;
        Ok(if is_here { lives } else { lives.in_hosts(self.options()?, self.hosts) })
    }

    fn guest_kernel(&self, choice: Choice) -> Result<PathBuf, Error> {
        self.kernel.as_deref().map_or_else(|| choice.provide(self.arch), find)
    }

    /// As `bulkhead run` has it, and what is to be tried.
    fn boot_arguments(&self, kernel: &Path) -> String {
        let words = self.guest_words.iter().map(String::as_str);
        let ours = command_line(self.arch.platform(), &guest::Kernel::at(kernel), false);
        std::iter::once(ours.as_str()).chain(words).collect::<Vec<_>>().join(" ")
    }

    fn options(&self) -> Result<Options, Error> {
        let trial = Trial {
            emulator: self.qemu.as_deref().map(find).transpose()?,
            words: words(self.qemu_words.as_deref()).into_iter().map(OsString::from).collect(),
            kernel_words: words(self.host_words.as_deref()),
        };
        let (arch, icount, verbose) = (self.arch, self.icount, self.verbose);
        // Whatever takes long is judged by its work instead.
        Ok(Options { arch, icount, verbose, trial, timeout: None, ..Options::default() })
    }
}

fn find(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().doing(|| format!("find {}", path.display()))
}

/// What all hosts have in common.
struct Soak {
    /// But for the turns.
    plan: Plan,
    options: Options,
    xtask: PathBuf,
}

impl Soak {
    /// In so many hosts at a time, until the table has all starts.
    fn run(&self, table: Table, hosts: u32) -> Result<Table, Error> {
        let table = Mutex::new(table);
        let locked = || table.lock().unwrap_or_else(PoisonError::into_inner);
        // Not to be held while the turns are taken.
        let take_turns = || locked().take_turns(STARTS_OF_A_HOST);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..hosts)
                .map(|_| {
                    scope.spawn(|| {
                        while let Some(turns) = take_turns() {
                            let ending =
                                self.one_host(turns, &|turn, end| locked().add(turn, end))?;
                            locked().host_ended(ending);
                        }
                        Ok(())
                    })
                })
                .collect();
            let results = workers.into_iter().map(|worker| {
                worker.join().unwrap_or_else(|_| Err(Error::Host("a thread panicked".into())))
            });
            results.collect::<Result<(), Error>>()
        })?;
        Ok(table.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes `turns` in a new host, and tells of each that ends.
    fn one_host(
        &self,
        turns: std::ops::Range<usize>,
        tell: &(dyn Fn(usize, inside::End) + Sync),
    ) -> Result<Ending, Error> {
        let plan = Plan { turns: turns.clone(), ..self.plan.clone() };
        let plan = serde_json::to_string(&plan)
            .map_err(|error| Error::Content(format!("the plan: {error}")))?;
        let arch = self.options.arch;
        let command = vec![self.xtask.clone().into(), INNER_COMMAND.into(), plan.into()];
        let process = host::process(arch, &[&toolchain::release_folder(arch)], command)?;
        let mut host = Host::start(&self.options)?;
        let doing = || "pass a host's words on".to_owned();
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).doing(doing)?;
        let stdio = Stdio {
            stdin: std::fs::File::open("/dev/null").doing(doing)?.into(),
            stdout: writer,
            ..Stdio::inherit().doing(doing)?
        };
        let watcher = Watcher::new(self.options.arch, host.monitor(), reader, turns);
        let (ran, watched) = thread::scope(|scope| {
            let watching = scope.spawn(|| watcher.watch(tell));
            let ran = host.run(process, stdio);
            (ran, watching.join())
        });
        let lost_interrupts = host.lost_interrupts();
        let mut ending =
            watched.map_err(|_| Error::Host("the watching thread panicked".into()))??;
        ending.lost_interrupts = lost_interrupts;
        match ran {
            // The host was ended here.
            _ if ending.stuck.is_some() => {}
            Err(Error::StoodStill(how)) => ending.stuck = Some(how.into()),
            Err(error) => return Err(error),
            Ok(0) => {}
            Ok(status) => {
                let message = format!("{INNER_COMMAND} ended with status {status}");
                return Err(Error::Content(message));
            }
        }
        Ok(ending)
    }
}
