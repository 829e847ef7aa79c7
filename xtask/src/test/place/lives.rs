//! Some lives of containers, killed at any moment: `cargo xtask soak --lives` leads them by the thousand.

use std::path::Path;

use host::kvm::Kvm;

use super::Place;
use crate::error::Error;
use crate::soak::lives::Lives;
use crate::soak::random::new_seed;
use crate::test::capture::Ended;
use crate::test::machine::Machine;
use crate::test::ran::{Left, Ran};
use crate::test::tally::Tally;

/// How many on a KVM: each is over in a moment.
const LIVES: u32 = 50;
/// How many in an emulated host, where each takes seconds.
const LIVES_IN_HOST: u32 = 12;

impl Place {
    /// Leads them on the KVM that is here, of VMs that boot our own kernel where it can't run Linux: what they are on their
    /// host is the same. Those with Linux are left then.
    pub fn lives_here(&self) -> Result<Ran, Error> {
        let lives = match self.kvm {
            Kvm::Linux => self.lives(LIVES)?,
            Kvm::Slow(_) | Kvm::Bare(_) if self.has_native_tests() => {
                let (binaries, kernel) = (self.binaries.clone(), self.bare_guest.clone());
                Lives::bare(binaries, kernel, (new_seed(), LIVES))?
            }
            _ => return Ok(Ran { left: Some(Left::All), ..Ran::default() }),
        };
        let ended = self.run_command(lives.command(false)?, Path::new("/"))?;
        let left = (self.kvm != Kvm::Linux).then_some(Left::All);
        Ok(Ran { left, ..understand(&lives, &ended)? })
    }

    /// Leads some in an emulated host.
    pub fn lives_in(&self, machine: &mut Machine) -> Result<Ran, Error> {
        let lives = self.lives(LIVES_IN_HOST)?;
        let ended = machine.test(lives.command(true)?, Path::new("/"), &self.environment())?;
        understand(&lives, &ended)
    }

    /// So many, of containers in Linux guests.
    fn lives(&self, count: u32) -> Result<Lives, Error> {
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
