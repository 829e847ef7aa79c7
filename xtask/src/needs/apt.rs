//! Debian's package manager: installs as root, otherwise says which command a person has to run.

use std::path::Path;
use std::process::Command;

use crate::error::Error;
use crate::tool;

/// Wait for another package manager to end, this many seconds.
const LOCK_TIMEOUT: &str = "DPkg::Lock::Timeout=300";

/// The command that installs `packages`, for a person to run.
pub fn command(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install --no-install-recommends {}", packages.join(" "))
}

/// Installs one package of each list of alternatives; refreshes the package lists when they don't suffice.
pub fn install(needs: &[&[&str]]) -> Result<(), Error> {
    let names = || -> Vec<&str> { needs.iter().map(|names| first_offered(names)).collect() };
    if !may_install() {
        let missing = names();
        let command = command(&missing);
        return Err(Error::Missing(format!(
            "missing: {}; install with: {command}",
            missing.join(", ")
        )));
    }
    let install = || {
        let names = names();
        let arguments = ["install", "--yes", "--no-install-recommends"];
        let message = format!("installing {}", names.join(", "));
        tool::run(&message, apt_get().args(arguments).args(names)).map(drop)
    };
    if needs.iter().all(|names| names.iter().any(|name| is_offered(name))) && install().is_ok() {
        return Ok(());
    }
    refresh()?;
    install()
}

/// Downloads the package `name` into the folder `dir`, as any user.
pub fn download(name: &str, dir: &Path) -> Result<(), Error> {
    let message = format!("downloading {name}");
    // The download's own sandbox user may not enter the private folder.
    let arguments = ["-o", "APT::Sandbox::User=root", "download", name];
    tool::run(&message, apt_get().args(arguments).current_dir(dir)).map(drop)
}

/// Whether the package lists offer `name`.
pub fn is_offered(name: &str) -> bool {
    let output = Command::new("apt-cache").args(["policy", name]).env("LC_ALL", "C").output();
    output.is_ok_and(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().any(|line| {
            line.trim().strip_prefix("Candidate: ").is_some_and(|version| version != "(none)")
        })
    })
}

/// The first of `names` that the package lists offer; the last one when none is.
pub fn first_offered<'a>(names: &[&'a str]) -> &'a str {
    let (last, others) = names.split_last().expect("a need names at least one package");
    others.iter().find(|name| is_offered(name)).unwrap_or(last)
}

/// Fetches the package lists.
pub fn refresh() -> Result<(), Error> {
    tool::run("refreshing the package lists", apt_get().arg("update")).map(drop)
}

/// Whether this process may install packages.
pub fn may_install() -> bool {
    is_root() && Path::new("/usr/bin/apt-get").exists()
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-o", LOCK_TIMEOUT]);
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
