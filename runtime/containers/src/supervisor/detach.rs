//! A supervisor in a process of its own, which nobody waits for.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use protocol::{read_message, write_message};

use super::error::SupervisorError;
use super::folders::Folders;
use super::life::Supervisor;
use super::message::Reply;
use crate::container::{Container, log};
use crate::network::warn_of_lack;
use crate::vm::bound_stderr;
use host::text::in_one_line;

/// The hidden command that is one.
pub const COMMAND: &str = "supervise";

/// Starts the container in the background, and waits until it runs.
pub fn start(container: &Container) -> Result<(), SupervisorError> {
    warn_of_lack(&container.config().plan.container.network);
    let mut command = Command::new("/proc/self/exe");
    // Which "/proc/self/exe" is, nobody would see in a list of processes.
    command.arg0("bulkhead").arg(COMMAND).arg(container.id().to_string());
    let path = container.complaints_path();
    let failed = |source| SupervisorError::Complaints { path: path.clone(), source };
    let complaints = File::create(&path).map_err(failed)?;
    log::remove_older(&path);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(complaints);
    let mut child = command.spawn().map_err(SupervisorError::Spawn)?;
    let Some(mut report) = child.stdout.take() else { return Err(SupervisorError::Unexpected) };
    match read_message(&mut report)? {
        Reply::Started => Ok(()),
        Reply::Failed { message, status } => Err(SupervisorError::Refused { message, status }),
        _ => Err(SupervisorError::Unexpected),
    }
}

/// What that process does.
pub fn supervise(container: Container, folders: Folders) -> Result<u8, SupervisorError> {
    // Away from whoever started it: his terminal, his folder, and, once it runs, his pipe.
    rustix::process::setsid().map_err(io::Error::from)?;
    std::env::set_current_dir("/")?;
    bound_stderr(container.complaints_path(), container.config().log);
    let started = || {
        report(&Reply::Started);
        let null = File::options().write(true).open("/dev/null");
        let _ = null.map(rustix::stdio::dup2_stdout);
    };
    let result =
        Supervisor::new(container, folders).and_then(|supervisor| supervisor.run(None, started));
    if let Err(error) = &result {
        // Into the void, if it has run before.
        report(&Reply::Failed { message: in_one_line(error), status: error.exit_status() });
    }
    Ok(result?.status.exit_code())
}

fn report(reply: &Reply) {
    let mut out = io::stdout().lock();
    // Whoever started it may have been killed meanwhile.
    let _ = write_message(&mut out, reply).map(|()| out.flush());
}
