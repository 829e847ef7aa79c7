//! `cargo xtask test`: every check there is, and one line with the sum.
//!
//! Test executables run on this machine. A test that needs a KVM which runs Linux is marked
//! `#[ignore = "needs KVM: …"]`, so that a plain `cargo test` leaves it alone; where this machine has no such KVM, its
//! executable runs in a fresh emulated host. A test that starts emulated hosts itself is marked
//! `#[ignore = "needs QEMU: …"]`; xtask runs it once QEMU is installed. All ignored tests of one executable have one reason. A test that cannot do its work prints `SKIPPED: NAME: REASON` and returns.

mod libtest;
mod place;
mod suite;
mod tally;

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use clap::Args;

use crate::arch::Arch;
use crate::build::{self, Binaries};
use crate::cargo;
use crate::error::Error;
use crate::kernel::Kernel;
use crate::kvm::Kvm;
use crate::needs;
use crate::run::bare;
use crate::tool;
use place::{Left, Place, Ran};
use suite::Suite;
use tally::Tally;

const EXAMPLES: &str = "\
Examples:
  cargo xtask test              everything; the last line is `N passed, N failed, N skipped`
  cargo xtask test image        only test executables whose name contains \"image\"";

/// Each takes up to 3 GiB of memory.
const MAX_HOSTS: usize = 4;

/// Run every test, installing what they need
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct TestArgs {
    /// Run only test executables with this in their name, and no other check
    name: Option<String>,
}

impl TestArgs {
    /// Runs the tests; the status is 1 when one failed or none passed.
    pub fn run(self) -> Result<u8, Error> {
        let total = Mutex::new(Tally::default());
        if let Err(error) = self.run_all(&total) {
            println!("{error}");
            add(&total, Tally::one_failed());
        }
        let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
        println!("{}", total.closing());
        Ok(u8::from(!total.is_success()))
    }

    fn run_all(&self, total: &Mutex<Tally>) -> Result<(), Error> {
        needs::provide(&needs::all().collect::<Vec<_>>())?;
        let binaries = Binaries::build(Arch::NATIVE)?;
        let bare_guest = build::bare_guest(Arch::NATIVE)?;
        let kernel = Kernel::provide(Arch::NATIVE)?.image();
        let kvm = Kvm::probe(&binaries.vmm)?;
        let place = Place::new(&binaries, &kernel, &bare_guest, kvm.obstacle());
        println!("{}", place.describe());

        let run = |name: &str, work: &dyn Fn() -> Result<Ran, Error>| {
            let ran = step(name, work);
            add(total, ran.tally);
            ran.left
        };
        if self.name.is_none() {
            run("cargo fmt --check", &formatting);
            run("cargo clippy", &lints);
            run("bare guest", &|| match kvm {
                Kvm::None(_) => place.bare_guest_in_host().map(Ran::from),
                _ => {
                    bare::report(&binaries.vmm, &bare_guest, |_| ()).map(Tally::from).map(Ran::from)
                }
            });
            run("documentation tests", &|| suite::documentation().map(Ran::from));
        }
        let mut suites = suite::build()?;
        suites.retain(|suite| self.wants(suite));
        let left: Vec<(&Suite, Left)> = suites
            .iter()
            .filter_map(|suite| Some((suite, run(&suite.name, &|| place.run_here(suite))?)))
            .collect();
        // An emulated host has one processor, so several run side by side.
        let queue = Mutex::new(left.into_iter());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, NonZero::get).min(MAX_HOSTS) {
                scope.spawn(|| {
                    while let Some((suite, left)) = next() {
                        let name = format!("{} (emulated host)", suite.name);
                        run(&name, &|| place.run_in_host(suite, left));
                    }
                });
            }
        });
        Ok(())
    }

    fn wants(&self, suite: &Suite) -> bool {
        self.name.as_ref().is_none_or(|name| suite.name.contains(name.as_str()))
    }
}

fn add(total: &Mutex<Tally>, tally: Tally) {
    total.lock().unwrap_or_else(PoisonError::into_inner).add(tally);
}

/// Runs one step and tells its result in a line, after what its failure printed.
fn step(name: &str, work: &dyn Fn() -> Result<Ran, Error>) -> Ran {
    let start = Instant::now();
    let bar = tool::spinner(name);
    let ran = work().unwrap_or_else(|error| Ran {
        tally: Tally::one_failed(),
        told: format!("{error}\n"),
        left: None,
    });
    bar.finish_and_clear();
    if ran.tally != Tally::default() {
        println!("{}{name}: {} ({:.1} s)", ran.told, ran.tally, start.elapsed().as_secs_f32());
    }
    ran
}

fn formatting() -> Result<Ran, Error> {
    let mut command = cargo::command(&["fmt", "--all", "--check"]);
    tool::run("checking the format", &mut command).map(|_| Tally::one_passed().into())
}

fn lints() -> Result<Ran, Error> {
    let here = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    let package =
        ["clippy", "--package", "bulkhead-bare-guest", "--target", Arch::NATIVE.bare(), "--quiet"];
    let guest = [&package[..], &["--", "-D", "warnings"]].concat();
    for arguments in [&here[..], &guest] {
        tool::run("looking for lints", &mut cargo::command(arguments))?;
    }
    Ok(Tally::one_passed().into())
}
