//! The VMM that is given to people: the source of all other tests, but compiled for speed and as one piece, without unwinding
//! and without the checks of overflows.

use std::path::Path;
use std::process::Command;

use super::tally::Tally;
use crate::arch::Arch;
use crate::build;
use crate::error::Error;
use crate::run::bare;
use crate::tool;

/// Builds it for this machine, where it says its version and runs the bare guest's checks.
pub fn try_vmm(bare_guest: &Path) -> Result<Tally, Error> {
    let vmm = build::release_vmm(Arch::NATIVE)?;
    let said = tool::run("starting the release VMM", Command::new(&vmm).arg("--version"))?;
    let expected = concat!("bulkhead-vmm ", env!("CARGO_PKG_VERSION"));
    if said.trim_end() != expected {
        let message = format!("{} --version: expected {expected}, got {said:?}", vmm.display());
        return Err(Error::Content(message));
    }
    let mut tally = Tally::from(bare::report(&vmm, bare_guest, |_| ())?);
    tally.add(Tally::one_passed());
    Ok(tally)
}
