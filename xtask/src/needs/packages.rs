//! The packages that the distribution offers, for this architecture and for the other.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::apt;
use crate::arch::Arch;
use crate::cache::Cache;
use crate::error::{Doing, Error};
use crate::progress::Step;
use crate::tool::{self, Line};

/// What the system has installed.
const INSTALLED: &str = "/var/lib/dpkg/status";

/// The file that takes its place.
const STATUS: &str = "status";

/// The package lists for one architecture: the system's for its own; for another, lists in the cache, so that the
/// system need not know that architecture and any user can refresh them. Where packages come from is the
/// system's configuration in both cases.
pub struct Packages {
    /// Their architecture.
    pub arch: Arch,
    /// Where they are when they aren't the system's.
    own: Option<Cache>,
}

impl Packages {
    /// The system's.
    pub fn system() -> Packages {
        Packages { arch: Arch::NATIVE, own: None }
    }

    /// Those for `arch`.
    pub fn of(arch: Arch) -> Result<Packages, Error> {
        if arch == Arch::NATIVE { Ok(Packages::system()) } else { Packages::private(arch) }
    }

    /// Those for `arch` in the cache, even for the system's own.
    pub fn private(arch: Arch) -> Result<Packages, Error> {
        let own = Cache::open(&format!("apt/{}", arch.debian()))?;
        Ok(Packages { arch, own: Some(own) })
    }

    /// Whether they offer `name`.
    pub fn offer(&self, name: &str) -> bool {
        self.candidate(name).is_some()
    }

    /// The version of the package `name` that they offer.
    pub fn candidate(&self, name: &str) -> Option<String> {
        let policy = &mut self.tool("apt-cache");
        let step = Step::start("looking for a package");
        let listing = self.run(&step, policy.args(["policy", name])).ok()?;
        candidate(&listing).map(str::to_owned)
    }

    /// The first of `names` that they offer; the last one when none is.
    pub fn first_offered<'a>(&self, names: &[&'a str]) -> &'a str {
        let (last, others) = names.split_last().expect("a need names at least one package");
        others.iter().find(|name| self.offer(name)).unwrap_or(last)
    }

    /// What the package `name` can't be without.
    pub fn dependencies(&self, name: &str) -> Result<Vec<String>, Error> {
        let command = &mut self.tool("apt-cache");
        let step = Step::start("looking for a package");
        let listing = self.run(&step, command.args(["depends", name]))?;
        Ok(dependencies(&listing))
    }

    /// Downloads the package `name` into the folder `dir`, as any user.
    pub fn download(&self, name: &str, dir: &Path) -> Result<(), Error> {
        let step = Step::download(&format!("downloading {name}"), dir.into());
        let mut command = self.tool("apt-get");
        self.run(&step, command.args(["download", name]).current_dir(dir)).map(drop)
    }

    /// Downloads the packages `names` and all that they depend on, as if nothing were installed, into the folder `dir`.
    pub fn download_all(&self, names: &[&str], dir: &Path) -> Result<Vec<PathBuf>, Error> {
        self.resolve(names, dir)
    }

    /// Downloads the packages `names`, and what they depend on and the system has not installed, into the folder `dir`.
    pub fn download_missing(&self, names: &[&str], dir: &Path) -> Result<Vec<PathBuf>, Error> {
        fs::copy(INSTALLED, dir.join(STATUS)).doing(|| format!("read {INSTALLED}"))?;
        self.resolve(names, dir)
    }

    /// What is installed is in a file of `dir`; nothing is when there is no such file.
    fn resolve(&self, names: &[&str], dir: &Path) -> Result<Vec<PathBuf>, Error> {
        let mut command = self.tool("apt-get");
        command.args(["install", "--yes", "--no-install-recommends", "--download-only"]);
        command.arg("--reinstall").args(option("Dir::State::status", dir.join(STATUS)));
        command.args(option("Dir::Cache::archives", dir)).args(names);
        let message = format!("downloading {} packages", self.arch.debian());
        self.run(&Step::download(&message, dir.into()), &mut command)?;
        archives(dir)
    }

    /// Fetches the lists.
    pub fn refresh(&self) -> Result<(), Error> {
        let step = Step::start("refreshing the package lists");
        self.run(&step, self.tool("apt-get").arg("update")).map(drop)
    }

    /// Whether this process may do that.
    pub fn may_refresh(&self) -> bool {
        self.own.is_some() || apt::may_install()
    }

    /// Does `work`, and when it fails once more with fresh lists: lists go out of date, and a package that
    /// they name is gone when its successor comes.
    pub fn retrying<T>(&self, work: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        match work() {
            Err(_) if self.may_refresh() => {
                self.refresh()?;
                work()
            }
            result => result,
        }
    }

    /// `apt-get` or `apt-cache` for these lists.
    fn tool(&self, program: &str) -> Command {
        let mut command = apt::tool(program);
        // The download's own sandbox user may not enter a user's folders.
        command.args(["-o", "APT::Sandbox::User=root"]);
        if let Some(own) = &self.own {
            let arch = self.arch.debian();
            command.args(option("APT::Architecture", arch));
            command.args(option("APT::Architectures", arch));
            command.args(option("Dir::State", own.path("")));
            command.args(option("Dir::State::status", own.path(STATUS)));
            command.args(option("Dir::Cache", own.path("")));
        }
        command
    }

    /// One at a time: the package manager fails when another one is at work on the same lists.
    fn run(&self, step: &Step, command: &mut Command) -> Result<String, Error> {
        let _private = self.own.as_ref().map(Cache::lock).transpose()?;
        let _system = self.own.is_none().then(apt::one_at_a_time);
        tool::run_step(step, command, |line| Line::Kept(line))
    }
}

/// The packages in the folder `dir`.
pub fn archives(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let doing = || format!("read {}", dir.display());
    let entries = fs::read_dir(dir).doing(doing)?.map(|entry| Ok(entry?.path()));
    let mut paths: Vec<PathBuf> = entries.collect::<std::io::Result<_>>().doing(doing)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
    paths.sort();
    Ok(paths)
}

/// The version in what `apt-cache policy` prints.
fn candidate(listing: &str) -> Option<&str> {
    let mut versions = listing.lines().filter_map(|line| line.trim().strip_prefix("Candidate: "));
    versions.find(|version| *version != "(none)")
}

/// The names in what `apt-cache depends` prints.
fn dependencies(listing: &str) -> Vec<String> {
    let names = listing.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    names.map(str::to_owned).collect()
}

fn option(name: &str, value: impl AsRef<std::ffi::OsStr>) -> [OsString; 2] {
    let mut option = OsString::from(format!("{name}="));
    option.push(value);
    ["-o".into(), option]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_is_known_but_not_offered_has_no_candidate() {
        let listing = |version: &str| format!("x:\n  Installed: 1\n  Candidate: {version}\n");
        assert_eq!(candidate(&listing("6.12.117-1~deb12u1")), Some("6.12.117-1~deb12u1"));
        assert_eq!(candidate(&listing("(none)")), None);
        assert_eq!(candidate(""), None);
    }

    #[test]
    fn dependencies_are_told_from_what_else_is_listed() {
        let listing = "linux-image-6.12-cloud-amd64\n  Depends: linux-image-6.12.117+deb12-cloud-amd64\n  \
                       Breaks: x\n  Depends: <virtual>\n    provider\n";
        assert_eq!(dependencies(listing), ["linux-image-6.12.117+deb12-cloud-amd64", "<virtual>"]);
        assert!(dependencies("W: nothing\n").is_empty());
    }
}
