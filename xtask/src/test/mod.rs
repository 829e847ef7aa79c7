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

use std::time::Instant;

use clap::Args;

use crate::build::{self, Binaries};
use crate::error::Error;
use crate::kernel::Kernel;
use crate::kvm::Kvm;
use crate::needs;
use crate::run::bare;
use crate::tool;
use place::Place;
use suite::Suite;
use tally::Tally;

const EXAMPLES: &str = "\
Examples:
  cargo xtask test              everything; the last line is `N passed, N failed, N skipped`
  cargo xtask test image        only test executables whose name contains \"image\"";

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
        needs::provide(&needs::all().collect::<Vec<_>>())?;
        let binaries = Binaries::build()?;
        let bare_guest = build::bare_guest()?;
        let kernel = Kernel::provide()?.image();
        let kvm = Kvm::probe(&binaries.vmm)?;
        let place = Place::new(&binaries, &kernel, &bare_guest, kvm.obstacle());
        println!("{}", place.describe());

        let mut total = Tally::default();
        if self.name.is_none() {
            total.add(step("cargo fmt --check", formatting));
            total.add(step("cargo clippy", lints));
            total.add(step("bare guest", || match kvm {
                Kvm::None(_) => place.bare_guest_in_host(),
                _ => bare::report(&binaries.vmm, &bare_guest, |_| ()).map(Tally::from),
            }));
            total.add(step("documentation tests", suite::documentation));
        }
        match suite::build() {
            Ok(suites) => {
                let wanted = |suite: &Suite| {
                    self.name.as_ref().is_none_or(|name| suite.name.contains(name.as_str()))
                };
                for suite in suites.into_iter().filter(wanted) {
                    total.add(step(&suite.name, || place.run(&suite)));
                }
            }
            Err(error) => total.add(step("building the tests", || Err(error))),
        }
        println!("{}", total.closing());
        Ok(u8::from(!total.is_success()))
    }
}

/// Runs one step and tells its result in a line, after what its failure printed.
fn step(name: &str, work: impl FnOnce() -> Result<Tally, Error>) -> Tally {
    let start = Instant::now();
    let bar = tool::spinner(name);
    let tally = work().unwrap_or_else(|error| {
        println!("{error}");
        Tally::one_failed()
    });
    bar.finish_and_clear();
    println!("{name}: {tally} ({:.1} s)", start.elapsed().as_secs_f32());
    tally
}

fn formatting() -> Result<Tally, Error> {
    let mut command = build::bare_cargo(&["fmt", "--all", "--check"]);
    tool::run("checking the format", &mut command).map(|_| Tally::one_passed())
}

fn lints() -> Result<Tally, Error> {
    let here = ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"];
    let package =
        ["clippy", "--package", "bulkhead-bare-guest", "--target", needs::BARE, "--quiet"];
    let guest = [&package[..], &["--", "-D", "warnings"]].concat();
    for arguments in [&here[..], &guest] {
        tool::run("looking for lints", &mut build::bare_cargo(arguments))?;
    }
    Ok(Tally::one_passed())
}
