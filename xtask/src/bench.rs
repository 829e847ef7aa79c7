//! `cargo xtask bench`: what a VM costs, beside other VMMs.
//!
//! All runs take place in one emulated host whose clock counts instructions, a nanosecond each: two runs of the same
//! set-up then agree whatever else the machine does. It models neither caches nor the price of a real exit from
//! a guest, and figures shift by some percent with the set-up, so only figures of one run may be compared: bulkhead-vmm's and
//! its peers' starts take turns, so do a whole `bulkhead run`, the bare boot of its guest and `runc run`, and medians are shown.
//!
//! Every VMM boots the same kernels, each with the same command line: the one that `bulkhead run` gives it, which is much quicker than a
//! plain one for the peers too.

mod home;
mod idle;
mod inside;
mod measured;
mod memory;
mod network;
mod panels;
mod picture;
mod plan;
mod row;
mod rows;
mod run;
mod runc;
pub mod start;
mod system_calls;
mod table;
pub mod vmm;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

use boot::cpio;
use clap::Args;
use containers::guest::{self, command_line};

use crate::arch::Arch;
use crate::build::{self, Binaries};
use crate::error::{Doing, Error};
use crate::host::{self, Host, Options, Stdio};
use crate::kernel::Choice;
use crate::needs::{self, Program};
use crate::progress::Step;
use crate::run::demo;
use crate::test::syscalls;
use crate::toolchain;
use measured::Measured;
use plan::{ByKernel, Part, Parts, Plan};
use vmm::{Kind, Peer, Vmm};

pub use inside::{INNER_COMMAND, InnerArgs};

/// Ten seconds a Linux guest, on a busy machine three times as much.
const TIME_LIMIT: Duration = Duration::from_secs(3600);

/// So many hosts are tried, each with random numbers of its own.
const SEEDS: u32 = 4;

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench                                           bulkhead alone
  cargo xtask bench --peer firecracker=/usr/bin/firecracker --peer runc=/usr/sbin/runc
                                                              beside others, with ratios
  cargo xtask bench --runs 2                                  quicker, and less sure
  cargo xtask bench --only run                                a whole `bulkhead run` beside its guest's boot
  cargo xtask bench --only network                            what a guest's network costs
  cargo xtask bench --svg figures.svg                         draws start times and memory too
  cargo xtask bench --arch aarch64                            on the Arm machine
  cargo xtask bench --syscalls                                which system calls of its filters no test uses";

/// Measure starts and memory, beside other VMMs and runc if wanted
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    /// What to measure beside ours; NAME is firecracker (a static one; measured without its seccomp filters too),
    /// cloud-hypervisor, or runc
    #[arg(long, value_name = "NAME=PATH", value_parser = vmm::parse_peer)]
    peer: Vec<Peer>,
    /// Starts of a Linux guest by each VMM
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Measure this part only
    #[arg(long, value_enum, value_name = "PART")]
    only: Option<Part>,
    /// Draw the start times and the memory as bars, into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Measure with this kernel in the place of our own [default: that of `cargo xtask kernel`]
    #[arg(long, value_name = "PATH")]
    kernel: Option<PathBuf>,
    /// Measure nothing, but run the end-to-end tests, those with NAME in their name, and list the system calls that the
    /// filters of a VM's threads allow and none of them used: half an hour
    #[arg(
        long,
        value_name = "NAME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        conflicts_with_all = ["peer", "runs", "only", "svg", "kernel"]
    )]
    syscalls: Option<String>,
    /// Measure on this architecture [default: this machine's]
    #[arg(long, value_enum, value_name = "ARCH", default_value_t = Arch::NATIVE, hide_default_value = true)]
    arch: Arch,
}

impl BenchArgs {
    /// Measures and prints the table; a figure that misses its goal is no failure.
    pub fn run(self) -> Result<u8, Error> {
        if let Some(name) = &self.syscalls {
            return syscalls::run(self.arch, name);
        }
        let binaries = Part::takes_containers(self.only).then(|| Binaries::release(self.arch));
        let binaries = binaries.transpose()?;
        let vmm = match &binaries {
            Some(binaries) => binaries.vmm.clone(),
            None => build::release_vmm(self.arch)?,
        };
        let (vmms, runc) = contestants(vmm, &self.peer)?;
        let programs = build::bare_guest(self.arch)?;
        let doing = || "make a temporary folder".to_owned();
        let dir = tempfile::tempdir().doing(doing)?;
        let initramfs = dir.path().join("initramfs");
        write_initramfs(&initramfs, &programs.with_file_name("first-line"))?;
        let network_initramfs = dir.path().join("network-initramfs");
        write_initramfs(&network_initramfs, &programs.with_file_name("network-load"))?;
        let container = binaries.map(|binaries| {
            let root = dir.path().join("root.tar");
            std::fs::write(&root, demo::root(self.arch)?).doing(doing)?;
            let programs = vec![binaries.bulkhead, binaries.vmm, binaries.guest_init];
            Ok::<_, Error>(Parts { programs, image: demo::archive(self.arch)?, root })
        });
        let kernels = kernels(self.arch, self.kernel.as_deref())?;
        let words = |kernel: &PathBuf| {
            Ok::<_, Error>(command_line(self.arch.platform(), &guest::Kernel::at(kernel), false))
        };
        let plan = Plan {
            vmms,
            runc,
            strace: program(self.arch, &needs::STRACE)?,
            passt: program(self.arch, &needs::PASST)?,
            one_page: programs.with_file_name("one-page"),
            boot_arguments: kernels.map(words)?,
            kernels,
            initramfs,
            network_initramfs,
            container: container.transpose()?,
            runs: self.runs,
            only: self.only,
        };
        let measured = measure(self.arch, &plan)?;
        print!("{}", table::Table::new(&plan, &measured)?);
        if let Some(path) = &self.svg {
            let foot = format!(
                "cargo xtask bench, medians of {} starts on a clock that counts instructions",
                self.runs
            );
            picture::draw(path, &panels::panels(&plan, &measured), &foot)?;
        }
        Ok(0)
    }
}

/// Ours and the peers, as the emulated host finds them: the VMMs, and `runc`.
fn contestants(ours: PathBuf, peers: &[Peer]) -> Result<(Vec<Vmm>, Option<PathBuf>), Error> {
    let mut vmms = vec![Vmm { kind: Kind::Bulkhead, path: ours }];
    let mut runc = None;
    for peer in peers {
        match peer {
            Peer::Runc(path) => runc = Some(find(path)?),
            Peer::Vmm(Vmm { kind, path }) => {
                let path = find(path)?;
                if *kind == Kind::Firecracker {
                    let kind = Kind::FirecrackerWithoutFilters;
                    vmms.push(Vmm { kind, path: path.clone() });
                }
                vmms.push(Vmm { kind: *kind, path });
            }
        }
    }
    Ok((vmms, runc))
}

/// Debian's kernel, and ours or the one to measure in its place.
fn kernels(arch: Arch, instead: Option<&Path>) -> Result<ByKernel<PathBuf>, Error> {
    let debian = Choice::Debian.provide(arch)?;
    let own = instead.map_or_else(|| Choice::Own.provide(arch), find)?;
    Ok(ByKernel { debian, own })
}

fn find(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().doing(|| format!("find {}", path.display()))
}

/// Where the emulated host of an architecture has a program.
fn program(arch: Arch, program: &'static Program) -> Result<PathBuf, Error> {
    if arch != Arch::NATIVE {
        // A foreign host has a root of its own, and it is in there.
        return Ok(Path::new("/usr/bin").join(program.name));
    }
    needs::provide(&[program])?;
    program.require()
}

/// An initramfs with nothing but `/init` and the console that it writes to.
pub fn write_initramfs(path: &Path, init: &Path) -> Result<(), Error> {
    let failed = |error: cpio::CpioError| Error::Content(format!("{}: {error}", path.display()));
    let init = std::fs::read(init).doing(|| format!("read {}", init.display()))?;
    let file = File::create(path).doing(|| format!("create {}", path.display()))?;
    let mut archive = cpio::Writer::new(file);
    archive.directory("dev", 0o755).map_err(failed)?;
    archive.char_device("dev/console", 0o600, 5, 1).map_err(failed)?;
    archive.file("init", 0o755, &init).map_err(failed)?;
    archive.finish().map_err(failed)?;
    Ok(())
}

/// Measures in an emulated host. A counting one stands still in one run of some (`host::qemu` says why), and with the same random
/// numbers always at the same place; then all is measured again, with others.
fn measure(arch: Arch, plan: &Plan) -> Result<Measured, Error> {
    let mut seed = 1;
    loop {
        match measure_in_host(arch, plan, seed) {
            Err(Error::StoodStill(how)) if seed < SEEDS => eprintln!(
                "xtask: the emulated host stood still: {how}; measuring again, with other random numbers"
            ),
            result => return result,
        }
        seed += 1;
    }
}

/// Has this program measure inside an emulated host.
fn measure_in_host(arch: Arch, plan: &Plan, seed: u32) -> Result<Measured, Error> {
    let json = |error: serde_json::Error| Error::Content(format!("the figures: {error}"));
    let xtask = build::xtask(arch)?;
    let plan = serde_json::to_string(plan).map_err(json)?;
    let command = vec![xtask.into(), INNER_COMMAND.into(), plan.into()];
    let process = host::process(arch, &[&toolchain::release_folder(arch)], command)?;
    let timeout = Some(TIME_LIMIT);
    let options = Options { arch, timeout, icount: true, seed, ..Options::default() };
    let mut host = Host::start(&options)?;
    let step = Step::start("measuring: some minutes");
    let doing = || "make a temporary file".to_owned();
    let mut output = tempfile::tempfile().doing(doing)?;
    let stdio = Stdio {
        stdin: File::open("/dev/null").doing(|| "open /dev/null".into())?.into(),
        stdout: output.try_clone().doing(doing)?.into(),
        ..Stdio::inherit().doing(|| "duplicate the standard streams".into())?
    };
    let status = host.run(process, stdio)?;
    drop(step);
    if status != 0 {
        return Err(Error::Content(format!("the measurement ended with status {status}")));
    }
    let mut text = String::new();
    let read = output.rewind().and_then(|()| output.read_to_string(&mut text));
    read.doing(|| "read the figures".into())?;
    serde_json::from_str(&text).map_err(json)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The middle one of an odd number of values, the lower of the two in the middle of an even one.
fn median(values: &[u64]) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// The size of a file.
fn size(path: &Path) -> Result<u64, Error> {
    let metadata = path.metadata().doing(|| format!("read {}", path.display()))?;
    Ok(metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_one_of_the_values() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7]), Some(7));
        assert_eq!(median(&[9, 1, 5]), Some(5));
        assert_eq!(median(&[9, 1, 5, 7]), Some(5));
    }
}
