//! `cargo xtask test`: every check there is, for both architectures, and one line with the sum.
//!
//! Test executables for this machine's architecture run on it. A test that needs a KVM which runs Linux is marked
//! `#[ignore = "needs KVM: …"]`, so that a plain `cargo test` leaves it alone; where this machine has no such KVM, its
//! executable runs in a fresh emulated host. A test that starts emulated hosts itself is marked
//! `#[ignore = "needs QEMU: …"]`; xtask runs it once QEMU is installed. All ignored tests of one executable have one
//! reason. A test that cannot do its work prints `SKIPPED: NAME: REASON` and returns.
//!
//! The same tests are built for the other architecture and run in emulated hosts of it. (An emulator of single programs,
//! qemu-user, would run most of them without booting a kernel. It was in use and is not: a program with several threads
//! that forks can hang in it, and it does not run the programs that a program starts.)

mod libtest;
mod packages;
mod place;
mod source;
mod suite;
mod tally;

use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use clap::Args;

use crate::arch::Arch;
use crate::error::Error;
use crate::host::Cpu;
use crate::kernel::Choice;
use crate::needs;
use crate::tool;
use place::{Left, Place, Ran};
use suite::Suite;
use tally::Tally;

const EXAMPLES: &str = "\
Examples:
  cargo xtask test                       everything; the last line is `N passed, N failed, N skipped`
  cargo xtask test image                 only test executables whose name contains \"image\"
  cargo xtask test --arch aarch64        only what is for aarch64
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

/// What is to run in an emulated host, and its name.
type Work = (String, Box<dyn Fn() -> Result<Ran, Error> + Send>);

impl TestArgs {
    /// Runs the tests; the status is 1 when one failed or none passed.
    pub fn run(self) -> Result<u8, Error> {
        let architectures = self.architectures()?;
        let total = Total::default();
        if let Err(error) = self.run_all(&architectures, &total) {
            println!("{error}");
            total.add(Tally::one_failed());
        }
        let total = total.0.into_inner().unwrap_or_else(PoisonError::into_inner);
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

    fn run_all(&self, architectures: &[Arch], total: &Total) -> Result<(), Error> {
        needs::provide(&needs::all().collect::<Vec<_>>())?;
        if self.wants_all() {
            total.run("cargo fmt --check", &|| source::format().map(Ran::from));
            total.run("documentation tests", &|| suite::documentation().map(Ran::from));
        }
        let mut left = Vec::new();
        for &arch in architectures {
            let place = Arc::new(Place::provide(arch, self.cpu, self.kernel)?);
            println!("{}", place.describe());
            left.extend(self.run_here(&place, total)?);
        }
        // An emulated host has one processor, so several run side by side.
        let queue = Mutex::new(left.into_iter());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, NonZero::get).min(MAX_HOSTS) {
                scope.spawn(|| {
                    while let Some((name, work)) = next() {
                        total.run(&name, &work);
                    }
                });
            }
        });
        Ok(())
    }

    /// Runs what can run without an emulated host, and returns what can't.
    fn run_here(&self, place: &Arc<Place>, total: &Total) -> Result<Vec<Work>, Error> {
        let arch = place.arch.name();
        if self.wants_all() {
            total.run(&format!("cargo clippy ({arch})"), &|| {
                source::lint(place.arch).map(Ran::from)
            });
        }
        let mut left: Vec<Work> = Vec::new();
        if self.name.is_none() {
            let ran = total.run(&format!("bare guest ({arch})"), &|| place.bare_guest_here());
            if ran.is_some() {
                let place = place.clone();
                let name = format!("bare guest ({arch}, emulated host)");
                left.push((name, Box::new(move || place.bare_guest_in_host())));
            }
        }
        for suite in suite::build(place.arch)? {
            if !self.wants(&suite) {
                continue;
            }
            let suite = Arc::new(suite);
            if self.kernel == Choice::Own && suite.name == ALSO_WITH_DEBIANS {
                let place = Arc::new(place.with_kernel(Choice::Debian)?);
                let name = format!("{}, Debian's kernel", suite.name);
                left.extend(run_suite(name, &suite, &place, total));
            }
            left.extend(run_suite(suite.name.clone(), &suite, place, total));
        }
        Ok(left)
    }

    fn wants_all(&self) -> bool {
        self.name.is_none() && self.cpu.is_none()
    }

    fn wants(&self, suite: &Suite) -> bool {
        self.name.as_ref().is_none_or(|name| suite.name.contains(name.as_str()))
    }
}

/// Runs of `suite` what can run without an emulated host, and returns what can't.
fn run_suite(name: String, suite: &Arc<Suite>, place: &Arc<Place>, total: &Total) -> Option<Work> {
    let arch = place.arch.name();
    let which = total.run(&format!("{name} ({arch})"), &|| place.run_here(suite))?;
    let (place, suite) = (place.clone(), suite.clone());
    let place_name = match which {
        Left::StartsHosts => "its own emulated hosts",
        Left::All | Left::Ignored => "emulated host",
    };
    let name = format!("{name} ({arch}, {place_name})");
    Some((name, Box::new(move || place.run_with_hosts(&suite, which))))
}

/// The sum of all steps.
#[derive(Default)]
struct Total(Mutex<Tally>);

impl Total {
    fn add(&self, tally: Tally) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(tally);
    }

    /// Runs one step and tells its result in a line, after what its failure printed. Returns what it left.
    fn run(&self, name: &str, work: &dyn Fn() -> Result<Ran, Error>) -> Option<Left> {
        let start = Instant::now();
        let bar = tool::spinner(name);
        let mut ran = work().unwrap_or_else(|error| Ran {
            tally: Tally::one_failed(),
            told: format!("{error}\n"),
            left: None,
        });
        bar.finish_and_clear();
        if ran.tally != Tally::default() {
            println!("{}{name}: {} ({:.1} s)", ran.told, ran.tally, start.elapsed().as_secs_f32());
        }
        for skipped in &mut ran.tally.skipped {
            *skipped = format!("{name}: {skipped}");
        }
        self.add(ran.tally);
        ran.left
    }
}
