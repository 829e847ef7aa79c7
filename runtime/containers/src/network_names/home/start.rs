//! A home's beginning.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::{HOME, HomeError, failed};
use crate::network::last_words;
use crate::network::pasta;
use host::poll;

/// It takes some tens of milliseconds. One that is not ready by then is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The variable with the folder of this user's running VMs: whoever looks at pasta sees whose it is.
const OWNER: &str = "XDG_RUNTIME_DIR";

/// What it says when it is ready.
pub const READY: &[u8] = b"ready\n";

/// Starts one that has the file at `path`, and waits until it is ready. Nobody waits for its end, nor reads what it says then:
/// pasta ignores SIGPIPE (its passt.c, `main`).
pub fn start(path: &Path) -> Result<(), HomeError> {
    let program = pasta::find().ok_or(HomeError::NoPasta)?;
    let own = env::current_exe().map_err(HomeError::Start)?;
    let mut command = pasta::command(&program, &own);
    command.arg(HOME).arg(path).current_dir("/");
    // It needs nothing of the environment, in which there may be secrets.
    command.env_clear().envs(env::var_os(OWNER).map(|folder| (OWNER, folder)));
    // Away from whoever is first: it serves others too.
    let prepare = || Ok(rustix::process::setsid().map(drop)?);
    // SAFETY: between fork and exec the closure makes one system call; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(prepare) };
    let mut child = command.spawn().map_err(HomeError::Start)?;
    if let Some(mut input) = child.stdin.take() {
        // One that has ended says why.
        let _ = input.write_all(pasta::resolv_conf().as_bytes());
    }
    match is_ready(&mut child) {
        Ok(true) => Ok(()),
        outcome => {
            // It may have ended by itself; but Debian 12's then leaves who was to run our program, and waits to be told.
            let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
            let _ = child.wait();
            let said = child.stderr.take().map(last_words).unwrap_or_default();
            match outcome {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    Err(HomeError::Silent { seconds: PATIENCE.as_secs(), said })
                }
                Err(error) => Err(failed("start", path)(error)),
                Ok(_) => Err(HomeError::Refused { why: refusal(), said }),
            }
        }
    }
}

/// Whether it says so, before it ends.
fn is_ready(child: &mut Child) -> io::Result<bool> {
    let deadline = Some(Instant::now() + PATIENCE);
    let Some(stdout) = child.stdout.take() else { return Ok(false) };
    let mut stdout = fs::File::from(OwnedFd::from(stdout));
    // What it leaves may hold its pipes.
    let pasta = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let mut said = Vec::new();
    let mut chunk = [0; READY.len()];
    while said.len() < READY.len() {
        let mut fds = [PollFd::new(&stdout, PollFlags::IN), PollFd::new(&pasta, PollFlags::IN)];
        if !poll::wait_until(&mut fds, deadline)? {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if !fds[1].revents().is_empty() {
            return Ok(false);
        }
        match stdout.read(&mut chunk)? {
            0 => return Ok(false),
            length => said.extend_from_slice(&chunk[..length]),
        }
    }
    Ok(said == READY)
}

/// Settings of this host that keep users from having namespaces, and the value at which they do: user_namespaces(7), Debian's
/// and Ubuntu's kernels.
const SETTINGS: [(&str, &str); 3] = [
    ("user.max_user_namespaces", "0"),
    ("kernel.unprivileged_userns_clone", "0"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1"),
];

/// What this host says about it.
fn refusal() -> String {
    let value = |name: &str| fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/")));
    let is_set = |(name, refused): &&(&str, &str)| {
        value(name).is_ok_and(|value| value.trim_end() == *refused)
    };
    match SETTINGS.iter().find(is_set) {
        Some((name, value)) => {
            format!("sysctl {name} is {value}, which keeps users from having them")
        }
        None => "pasta ended before they were ready".to_owned(),
    }
}
