//! One start after another, inside the emulated host.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::bench::start::Running;
use crate::bench::vmm::{Guest, Vmm, copy};
use crate::error::{Doing, Error};

/// The hidden command that is run in the emulated host.
pub const INNER_COMMAND: &str = "soak-inside";

/// A tmpfs of the emulated host's own.
const TMPFS: &str = "/run/soak";

/// What to start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// They take turns.
    pub vmms: Vec<Vmm>,
    /// The guests' kernel.
    pub kernel: PathBuf,
    /// Its initramfs, whose init says a line and waits.
    pub initramfs: PathBuf,
    /// Its command line.
    pub boot_arguments: String,
    /// The turns of this host: turn n is that of VMM n modulo their number.
    pub turns: Range<usize>,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Its guest's init said its line.
    Up,
    /// The VMM ended, or could not be started, and said this.
    Failed(String),
}

/// Start guests on the KVM that is here
#[derive(Args)]
pub struct InnerArgs {
    plan: String,
}

impl InnerArgs {
    /// Prints a line of JSON for each turn's [`End`].
    pub fn run(self) -> Result<u8, Error> {
        let json = |error: serde_json::Error| Error::Content(format!("the plan: {error}"));
        let plan: Plan = serde_json::from_str(&self.plan).map_err(json)?;
        let folder = Path::new(TMPFS);
        std::fs::create_dir_all(folder).doing(|| format!("create {TMPFS}"))?;
        let kernel = copy(&plan.kernel, folder, "vmlinux")?;
        let initramfs = copy(&plan.initramfs, folder, "initramfs")?;
        let config = folder.join("config.json");
        let guest = Guest::new(&kernel, Some(&initramfs), &plan.boot_arguments, config)?;
        let vmms = plan.vmms.iter().map(|vmm| vmm.copy(folder));
        let vmms: Vec<Vmm> = vmms.collect::<Result<_, Error>>()?;
        let mut out = std::io::stdout();
        for turn in plan.turns {
            let end = match start(&vmms[turn % vmms.len()], &guest) {
                Ok(()) => End::Up,
                Err(error) => End::Failed(error.to_string()),
            };
            let line = serde_json::to_string(&end).map_err(json)?;
            writeln!(out, "{line}").and_then(|()| out.flush()).doing(|| "tell of a turn".into())?;
        }
        Ok(0)
    }
}

fn start(vmm: &Vmm, guest: &Guest) -> Result<(), Error> {
    let mut running = Running::start(&vmm.arguments(guest))?;
    running.wait_for_line()?;
    running.stop().map(drop)
}
