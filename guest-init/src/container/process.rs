//! From a Start to a process: who it is, what it finds, what it executes.

use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use protocol::{ByteString, Process, ProcessError, Start};
use rustix::fs::Mode;

use super::{rights, stdio, terminal};
use crate::error::{During, StartError};
use crate::{command, environment, host_facts, root, users};

/// Executes it in place of this program. Returns only what kept it from that.
pub(super) fn become_it(
    start: &Start,
    hostname: &ByteString,
    socket: BorrowedFd<'_>,
) -> Result<(), StartError> {
    let process = &start.process;
    let passwd = host_facts::read_database("/etc/passwd");
    let group = host_facts::read_database("/etc/group");
    let user = users::find(process.user.as_bytes(), &passwd, &group)?;
    let mut variables = process.env.clone();
    if start.terminal.is_some() {
        // docker's; the image's or the caller's own, further back, wins.
        variables.insert(0, "TERM=xterm".into());
    }
    let environment = environment::build(&variables, &user, hostname);
    // As root, so that a user may work in a folder that it could not enter, as in docker; and before the command is looked
    // up, because `./command` is relative to it.
    enter_working_directory(&process.cwd)?;
    let path = environment::get(&environment, b"PATH").unwrap_or_default();
    let (name, arguments) = process.args.split_first().ok_or(ProcessError::NoCommand)?;
    let file = command::find(name, path)?;

    rustix::process::setsid().during("begin a session")?;
    if let Some(size) = start.terminal {
        terminal::open(size, start.number == 0, &user, socket)?;
    } else {
        stdio::give(&user)?;
    }
    rustix::process::umask(Mode::from_raw_mode(0o022));
    rights::limit(&process.limits)?;
    rights::give(process, &user)?;

    let mut program = Command::new(&file);
    program.arg0(name.as_os_str()).args(arguments.iter().map(|argument| argument.as_os_str()));
    program.env_clear().envs(
        environment.iter().map(|(name, value)| (OsStr::from_bytes(name), OsStr::from_bytes(value))),
    );
    // The standard library gives signals their default actions and, as nobody blocked any, leaves none blocked.
    let error = program.exec();
    Err(command::explain(&file, &error).into())
}

/// Makes the first process's working directory where the image lacks it, as docker does; another's has to be there.
pub(super) fn make_working_directory(process: &Process) -> Result<(), StartError> {
    root::make_folder(process.cwd.as_os_str()).during(format!("cwd: make {}", process.cwd))
}

fn enter_working_directory(path: &ByteString) -> Result<(), StartError> {
    let entered = std::env::set_current_dir(path.as_os_str()).and_then(|()| check_that_inside());
    entered.map_err(|error| StartError::WorkingDirectory { path: path.clone(), error })
}

/// The container says which folder it is, and `/proc/self/fd` leads to whatever this program has open. There is no folder
/// among that, and if ever there is, it must not be the way out that it was in runc (CVE-2024-21626).
fn check_that_inside() -> io::Result<()> {
    // getcwd(2): a folder that the root does not lead to has no path that begins with `/`.
    let here = rustix::process::getcwd(Vec::new())?;
    if here.as_bytes().starts_with(b"/") {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "it is not in the container"))
}

#[cfg(test)]
mod tests {
    use protocol::FailureKind;

    use super::*;

    #[test]
    fn a_working_directory_that_is_not_there_is_an_error_and_stays_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| ByteString::from(folder.path().join(name).into_os_string());
        std::fs::write(folder.path().join("file"), "").unwrap();
        for name in ["missing", "missing/below", "file", "file/below"] {
            let error = enter_working_directory(&path(name)).unwrap_err();
            assert_eq!(error.kind(), FailureKind::NotFound, "{error}");
            assert!(error.to_string().starts_with(&format!("cwd: {}: ", path(name))), "{error}");
        }
        assert!(!folder.path().join("missing").exists());
    }
}
