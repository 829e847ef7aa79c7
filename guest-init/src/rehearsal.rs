//! A guest without a machine: the conversation's other parts, on this one, for tests of either end.
//!
//! The process is an ordinary one, with the test's own user, root and rights; only its arguments, its variables and
//! its working directory are taken from Start.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use protocol::{ExitStatus, Start};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpid};

use crate::error::{During, StartError};
use crate::link::Connect;
use crate::session::Guest;
use crate::users::User;
use crate::{command, environment, reaper};

/// A host behind a Unix socket, as the VMM shows the host to itself.
pub struct UnixHost(pub PathBuf);

impl Connect for UnixHost {
    fn connect(&self) -> io::Result<File> {
        Ok(File::from(OwnedFd::from(UnixStream::connect(&self.0)?)))
    }
}

/// Runs the process in a process group of its own.
#[derive(Default)]
pub struct ProcessGroup {
    /// What mounting the image fails with, if it is to.
    pub broken_disk: Option<&'static str>,
}

impl Guest for ProcessGroup {
    fn mount(&mut self) -> Result<(), StartError> {
        self.broken_disk.map_or(Ok(()), |why| Err(io::Error::other(why)).during("mount"))
    }

    fn start(&mut self, start: &Start, stdio: [OwnedFd; 3]) -> Result<Pid, StartError> {
        let process = &start.process;
        let user = User { uid: 0, gid: 0, groups: Vec::new(), home: "/".into() };
        let variables = environment::build(&process.env, &user, &process.hostname);
        let path = environment::get(&variables, b"PATH").unwrap_or_default();
        let file = command::find(&process.args[0], path)?;
        let [stdin, stdout, stderr] = stdio;
        let child = Command::new(&file)
            .args(process.args[1..].iter().map(|argument| argument.as_os_str()))
            .env_clear()
            .envs(
                variables
                    .iter()
                    .map(|(name, value)| (OsStr::from_bytes(name), OsStr::from_bytes(value))),
            )
            .current_dir(process.cwd.as_os_str())
            .process_group(0)
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .map_err(|error| command::explain(&file, &error))?;
        Ok(Pid::from_child(&child))
    }

    fn wait(&mut self, pid: Pid) -> ExitStatus {
        let status = match waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => reaper::exit_status(status),
            _ => ExitStatus::Signal(9),
        };
        // What is left of the group; nothing, most often.
        let _ = kill_process_group(pid, Signal::KILL);
        status
    }
}
