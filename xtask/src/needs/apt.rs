//! Debian's package manager: how it is called, by this program and by a person.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Wait for another package manager to end, this many seconds.
const LOCK_TIMEOUT: &str = "DPkg::Lock::Timeout=300";

/// Where the system's package manager puts what it downloads (apt.conf(5), `Dir::Cache::archives`).
pub const ARCHIVES: &str = "/var/cache/apt/archives";

/// Who holds this is the only part of this program that calls the package manager for the system: it fails when another one is
/// at work on the same lists.
pub fn one_at_a_time() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The command that installs `packages`, for a person to run.
pub fn command(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install --no-install-recommends {}", packages.join(" "))
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
