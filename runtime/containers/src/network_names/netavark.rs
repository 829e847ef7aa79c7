//! The program that makes bridges, addresses, the firewall's rules and, by aardvark-dns, names: netavark of podman.
//!
//! What it is like (1.4.0, read and tried): it allocates no addresses. It is no match for two of its kind at once, so a lock
//! is held. A set-up that fails half-way undoes the networks before the failed one only. A teardown without a namespace does
//! nothing, without the container's interface leaves bridge and rules, and with isolation takes it from the others as well,
//! until the next set-up. There is no way to ask it whether all is in place, and none to bring a flushed firewall back; but a
//! set-up adds only what is missing. A port of a container that died is forwarded until its teardown.

mod answer;
mod child;
mod request;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};
use thiserror::Error;

pub use answer::Known;
#[cfg(test)]
pub use request::Member;
pub use request::Request;

use host::program::folders;

/// Why it has not done what it was to.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum NetavarkError {
    #[error("networks of names need {0}: apt-get install netavark aardvark-dns iptables")]
    Missing(&'static str),
    #[error("{path}: cannot {action} it")]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot run {path}")]
    Run { path: PathBuf, source: io::Error },
    #[error("netavark {command}: {words}")]
    Failed { command: &'static str, words: String },
    #[error("netavark's answer makes no sense: {0}")]
    Answer(String),
}

/// Debian's and Fedora's places (netavark 1.4.0 `src/main.rs`, for the second).
const PLACES: [&str; 2] = ["/usr/lib/podman", "/usr/libexec/podman"];

/// Where Debian keeps the system administrator's programs, off a user's PATH. netavark looks for iptables on its own.
const SYSTEM: [&str; 2] = ["/usr/sbin", "/sbin"];

/// Names of all networks of this machine, for it has one root: aardvark-dns listens on their gateways.
const FOLDER: &str = "/run/bulkhead/networks";

/// The programs, and nobody else at them.
pub struct Netavark {
    program: PathBuf,
    names: PathBuf,
    folder: PathBuf,
    path: std::ffi::OsString,
    _lock: File,
}

impl Netavark {
    /// Where netavark and aardvark-dns are.
    pub fn find() -> Result<(PathBuf, PathBuf), NetavarkError> {
        let find = |name: &'static str| {
            let places = PLACES.iter().map(|place| Path::new(place).join(name));
            let found = host::program::on_path(name)
                .or_else(|| places.into_iter().find(|path| path.is_file()));
            found.ok_or(NetavarkError::Missing(name))
        };
        Ok((find("netavark")?, find("aardvark-dns")?))
    }

    /// Finds them, and waits for others to be done.
    pub fn wait() -> Result<Self, NetavarkError> {
        let (program, names) = Self::find()?;
        let own = std::env::var_os("PATH").unwrap_or_default();
        let all = folders(&own).chain(SYSTEM.map(PathBuf::from));
        // Each was split off at the colons.
        let path = std::env::join_paths(all).unwrap_or_default();
        let folder = PathBuf::from(FOLDER);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(failed("make", &folder))?;
        let file = folder.join(".lock");
        let lock = File::options().write(true).create(true).truncate(false).open(&file);
        let lock = lock.map_err(failed("open", &file))?;
        flock(&lock, FlockOperation::LockExclusive)
            .map_err(|error| failed("lock", &file)(error.into()))?;
        Ok(Self { program, names, folder, path, _lock: lock })
    }

    /// Puts a container on its networks, in the namespace of this path.
    pub fn set_up(&self, request: &Request, namespace: &Path) -> Result<Known, NetavarkError> {
        let text = self.run("setup", request, namespace)?;
        answer::read(request, &text).map_err(NetavarkError::Answer)
    }

    /// Takes it off them.
    pub fn tear_down(&self, request: &Request, namespace: &Path) -> Result<(), NetavarkError> {
        self.run("teardown", request, namespace).map(drop)
    }

    fn run(
        &self,
        command: &'static str,
        request: &Request,
        namespace: &Path,
    ) -> Result<Vec<u8>, NetavarkError> {
        self.forget_dead_server();
        let mut process = Command::new(&self.program);
        // Nothing of the environment changes what it does.
        process.env_clear().env("PATH", &self.path).current_dir("/");
        process.arg("--config").arg(&self.folder).arg("--aardvark-binary").arg(&self.names);
        process.arg(command).arg(namespace);
        let input = serde_json::to_vec(request)
            .map_err(|error| NetavarkError::Answer(error.to_string()))?;
        let outcome = child::run(&mut process, &input);
        let outcome =
            outcome.map_err(|source| NetavarkError::Run { path: self.program.clone(), source })?;
        if outcome.status.success() {
            return Ok(outcome.stdout);
        }
        let words = answer::words(&outcome.stdout, &outcome.stderr);
        match self.has("iptables") || self.has("nft") {
            true => Err(NetavarkError::Failed { command, words }),
            // It would only speak of a file that is not there.
            false => Err(NetavarkError::Missing("iptables")),
        }
    }

    fn has(&self, name: &str) -> bool {
        folders(&self.path).any(|folder| folder.join(name).is_file())
    }

    /// netavark sends SIGHUP to whatever has the number in its file (1.4.0 `src/dns/aardvark.rs`, `notify`): of an aardvark-dns
    /// that was killed, another process may have it now.
    fn forget_dead_server(&self) {
        let file = self.folder.join("aardvark-dns/aardvark.pid");
        let Ok(number) = fs::read_to_string(&file) else { return };
        let number: Option<u32> = number.trim().parse().ok();
        let stat =
            number.and_then(|number| fs::read_to_string(format!("/proc/{number}/stat")).ok());
        if !stat.is_some_and(|stat| is_server(&stat)) {
            let _ = fs::remove_file(file);
        }
    }

    /// The firewall that it took last: what later versions write down (seen of 1.14.0; 1.4.0 does not).
    pub fn driver(&self) -> Option<String> {
        let text = fs::read_to_string(self.folder.join("firewall/firewall-driver")).ok()?;
        Some(text.trim_end().to_owned())
    }

    /// What iptables, ip6tables or nft says.
    pub fn firewall(&self, program: &str, arguments: &[&str]) -> Option<Vec<u8>> {
        let mut process = Command::new(
            folders(&self.path).map(|folder| folder.join(program)).find(|path| path.is_file())?,
        );
        process.env_clear().env("PATH", &self.path).args(arguments);
        let outcome = child::run(&mut process, &[]).ok()?;
        outcome.status.success().then_some(outcome.stdout)
    }
}

/// proc_pid_stat(5): its name in brackets, and its state, which is Z or X of one that has ended and takes signals all the same.
fn is_server(stat: &str) -> bool {
    let (name, rest) = stat.rsplit_once(") ").unwrap_or_default();
    name.ends_with("(aardvark-dns") && !rest.starts_with(['Z', 'X'])
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> NetavarkError {
    let path = path.to_owned();
    move |source| NetavarkError::File { action, path, source }
}
