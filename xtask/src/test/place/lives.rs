//! Some lives of containers, killed at any moment: `cargo xtask soak --lives` leads them by the thousand.

use std::path::Path;

use super::Place;
use crate::arch::Arch;
use crate::error::Error;
use crate::soak::lives::Lives;
use crate::soak::random::new_seed;
use crate::test::capture::Ended;
use crate::test::machine::Machine;
use crate::test::ran::{Left, Ran};
use crate::test::tally::Tally;

/// How many. An emulated host of another architecture takes twice as long for each.
const LIVES: u32 = 50;
const FOREIGN_LIVES: u32 = 12;

impl Place {
    /// Leads them, if there is a KVM for that here.
    pub fn lives_here(&self) -> Result<Ran, Error> {
        if self.kvm.obstacle().is_some() {
            return Ok(Ran { left: Some(Left::All), ..Ran::default() });
        }
        let lives = self.lives()?;
        let ended = self.run_command(lives.command(false)?, Path::new("/"))?;
        understand(&lives, &ended)
    }

    /// Leads them in an emulated host.
    pub fn lives_in(&self, machine: &mut Machine) -> Result<Ran, Error> {
        let lives = self.lives()?;
        let ended = machine.test(lives.command(true)?, Path::new("/"), &self.environment())?;
        understand(&lives, &ended)
    }

    fn lives(&self) -> Result<Lives, Error> {
        let count = if self.arch == Arch::NATIVE { LIVES } else { FOREIGN_LIVES };
        let (binaries, kernel) = (self.binaries.clone(), self.kernel.clone());
        Lives::linux(self.arch, binaries, kernel, (new_seed(), count))
    }
}

/// One test for each kind of lives.
fn understand(lives: &Lives, ended: &Ended) -> Result<Ran, Error> {
    let (tally, mut told) = lives.understand(&ended.output);
    let (passed, mut failed) = tally.kinds();
    if ended.status != 0 || tally.lives() != lives.count() {
        told += &format!("{}\nended with status {}\n", ended.output.trim_end(), ended.status);
        failed = failed.max(1);
    }
    Ok(Ran { tally: Tally { passed, failed, ..Tally::default() }, told, left: None })
}
