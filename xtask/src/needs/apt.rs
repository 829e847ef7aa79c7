//! Debian's package manager: installs as root, otherwise says which command a person has to run.

use std::path::Path;
use std::process::Command;

use super::packages::Packages;
use crate::error::Error;
use crate::tool::run;

/// Wait for another package manager to end, this many seconds.
const LOCK_TIMEOUT: &str = "DPkg::Lock::Timeout=300";

/// The command that installs `packages`, for a person to run.
pub fn command(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install --no-install-recommends {}", packages.join(" "))
}

/// One package of each list of alternatives.
pub fn choose<'a>(needs: &[&[&'a str]]) -> Vec<&'a str> {
    let offered = Packages::system();
    needs.iter().map(|names| offered.first_offered(names)).collect()
}

/// Installs one package of each list of alternatives; refreshes the package lists when they don't suffice.
pub fn install(needs: &[&[&str]]) -> Result<(), Error> {
    let offered = Packages::system();
    let install = || {
        let names = choose(needs);
        let arguments = ["install", "--yes", "--no-install-recommends"];
        let message = format!("installing {}", names.join(", "));
        run(&message, tool("apt-get").args(arguments).args(names)).map(drop)
    };
    if needs.iter().all(|names| names.iter().any(|name| offered.offer(name))) && install().is_ok() {
        return Ok(());
    }
    offered.refresh()?;
    install()
}

/// Whether this process may install packages.
pub fn may_install() -> bool {
    is_root() && Path::new("/usr/bin/apt-get").exists()
}

/// A program of the package manager, with no questions and few words.
pub fn tool(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C");
    command.args(["-q", "-o", LOCK_TIMEOUT]);
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
