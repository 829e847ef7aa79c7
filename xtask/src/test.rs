//! `cargo xtask test`: every check there is, for both architectures, and one line with the sum.
//!
//! Test executables for this machine's architecture run on it. A test that needs a KVM which runs Linux is marked
//! `#[ignore = "needs KVM: …"]`, so that a plain `cargo test` leaves it alone; where this machine has no such KVM, its
//! executable runs in an emulated host. A test that starts emulated hosts itself is marked
//! `#[ignore = "needs QEMU: …"]`; xtask runs it once QEMU is installed. All ignored tests of one executable have one
//! reason. A test that cannot do its work prints `SKIPPED: NAME: REASON` and returns.
//!
//! The same tests are built for the other architecture and run in emulated hosts of it. (An emulator of single programs,
//! qemu-user, would run most of them without booting a kernel. It was in use and is not: a program with several threads
//! that forks can hang in it, and it does not run the programs that a program starts.)
//!
//! All of these take programs that are quick to build, but this machine's VMM is the one that is given to people: its system
//! calls depend on its C library and on how it is compiled, and its filters know no others.
//!
//! A test executable that takes long, as is known from the last run, has an emulated host for itself, or several for its tests
//! in parts. Short ones follow each other in one host, as long as each leaves it as it was. Nothing is ever repeated, except
//! once what ran in a host that stands still, which the emulator does now and then; the sum says so.

mod capture;
mod distribution;
mod job;
mod libtest;
mod machine;
mod packages;
mod part;
mod place;
mod queue;
mod ran;
mod source;
mod suite;
mod tally;
mod times;
mod total;

use std::cmp::Reverse;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use clap::Args;

use crate::arch::Arch;
use crate::error::Error;
use crate::host::Cpu;
use crate::kernel::Choice;
use crate::needs;
use job::Job;
use place::Place;
use queue::{Feeder, Queue};
use ran::Ran;
use suite::Suite;
use times::Times;
use total::Total;

const EXAMPLES: &str = "\
Examples:
  cargo xtask test                       everything; the last line is `N passed, N failed, N skipped`
  cargo xtask test image                 only test executables whose name contains \"image\"
  cargo xtask test --arch aarch64        only what is for aarch64
  cargo xtask test --kernel debian       with guests on Debian's kernel in the place of our own
  cargo xtask test --cpu cortex-a72      only what runs in emulated aarch64 hosts, with another processor";

/// Each takes up to 3 GiB of memory.
const MAX_HOSTS: usize = 4;

/// Run every test, installing what they need
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct TestArgs {
    /// Run only test executables with this in their name, and no other check
    name: Option<String>,
    /// Run only tests for this architecture [default: both on an x86_64 machine, otherwise this machine's]
    #[arg(long, value_enum, value_name = "ARCH")]
    arch: Option<Arch>,
    /// The kernel that guests boot; with our own, one suite runs with Debian's too
    #[arg(long, value_enum, value_name = "KERNEL", default_value_t)]
    kernel: Choice,
    /// Run only the tests that need KVM, in emulated aarch64 hosts with this processor
    #[arg(long, value_enum, value_name = "CPU")]
    cpu: Option<Cpu>,
}

/// The tests that run with Debian's kernel too: what a container is, from its root file system to its exit status.
const ALSO_WITH_DEBIANS: &str = "tests: containers";

impl TestArgs {
    /// Runs the tests; the status is 1 when one failed or none passed.
    pub fn run(self) -> Result<u8, Error> {
        let architectures = self.architectures()?;
        let total = Total::default();
        if let Err(error) = self.run_all(&architectures, &total) {
            total.fail(&error);
        }
        println!("{}", total.closing());
        Ok(u8::from(!total.is_success()))
    }

    fn architectures(&self) -> Result<Vec<Arch>, Error> {
        Ok(match (self.arch, self.cpu) {
            (Some(Arch::X86_64), Some(_)) => {
                let message = "--cpu is for aarch64: the x86_64 host has one kind of processor";
                return Err(Error::Usage(message.into()));
            }
            (_, Some(_)) => vec![Arch::Aarch64],
            (Some(arch), None) => vec![arch],
            (None, None) if Arch::NATIVE == Arch::X86_64 => vec![Arch::X86_64, Arch::Aarch64],
            (None, None) => vec![Arch::NATIVE],
        })
    }

    /// Three things at a time, so that no processor waits: what cargo builds, tests that run here, and emulated hosts, each
    /// of which has one processor.
    fn run_all(&self, architectures: &[Arch], total: &Total) -> Result<(), Error> {
        needs::provide(&needs::all().collect::<Vec<_>>())?;
        let times = Times::load()?;
        let queue = Queue::default();
        thread::scope(|scope| {
            let (queue, times) = (&queue, &times);
            // There may be more to do as long as something is built.
            let _building = queue.feeder();
            for _ in 0..thread::available_parallelism().map_or(1, NonZero::get).min(MAX_HOSTS) {
                scope.spawn(|| job::work(queue, times, total));
            }
            for &arch in architectures {
                let place = Arc::new(Place::provide(arch, self.cpu, self.kernel)?);
                println!("{}", place.describe());
                let suites = self.build(&place)?;
                let feeder = queue.feeder();
                scope.spawn(move || self.run_here(&place, suites, &feeder, times, total));
            }
            if self.wants_all() {
                self.check_sources(architectures, total);
            }
            Ok::<_, Error>(())
        })?;
        if self.cpu.is_none() { times.save() } else { Ok(()) }
    }

    /// Builds the suites, each for the place where it runs.
    fn build(&self, place: &Arc<Place>) -> Result<Vec<(Arc<Place>, Suite)>, Error> {
        let mut suites = Vec::new();
        for suite in suite::build(place.arch)? {
            if !self.wants(&suite) {
                continue;
            }
            if self.kernel == Choice::Own && suite.name == ALSO_WITH_DEBIANS {
                let name = format!("{}, Debian's kernel", suite.name);
                let place = Arc::new(place.with_kernel(Choice::Debian)?);
                suites.push((place, Suite { name, ..suite.clone() }));
            }
            suites.push((place.clone(), suite));
        }
        Ok(suites)
    }

    fn check_sources(&self, architectures: &[Arch], total: &Total) {
        total.run("cargo fmt --check", || source::format().map(Ran::from));
        for &arch in architectures {
            let name = format!("cargo clippy ({})", arch.name());
            total.run(&name, || source::lint(arch).map(Ran::from));
        }
        total.run("documentation tests", || suite::documentation().map(Ran::from));
    }

    /// Runs what can run without an emulated host, and leaves the rest to those.
    fn run_here(
        &self,
        place: &Arc<Place>,
        mut suites: Vec<(Arc<Place>, Suite)>,
        feeder: &Feeder<'_, Job>,
        times: &Times,
        total: &Total,
    ) {
        let arch = place.arch.name();
        if self.name.is_none() {
            let name = format!("bare guest ({arch})");
            if total.run(&name, || place.bare_guest_here()).left.is_some() {
                Job::add_bare_guest(place, feeder);
            }
            total.run(&format!("bare soak ({arch})"), || place.soak_here());
        }
        // The sooner a host has what takes it longest the better.
        suites.sort_by_cached_key(|(place, suite)| Reverse(Job::expected_of(place, suite, times)));
        for (place, suite) in suites {
            let name = format!("{} ({arch})", suite.name);
            if let Some(left) = total.run(&name, || place.run_here(&suite)).left {
                Job::add(&place, suite, left, times, feeder);
            }
        }
    }

    fn wants_all(&self) -> bool {
        self.name.is_none() && self.cpu.is_none()
    }

    fn wants(&self, suite: &Suite) -> bool {
        self.name.as_ref().is_none_or(|name| suite.name.contains(name.as_str()))
    }
}
