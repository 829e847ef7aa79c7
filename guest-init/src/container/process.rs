//! From a Start to a process: who it is, what it finds, what it executes.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use protocol::{ByteString, Process, ProcessError, Start};
use rustix::fs::Mode;

use super::{rights, stdio, terminal};
use crate::error::{During, StartError};
use crate::{command, environment, host_facts, users};

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
    make_working_directory(process)?;
    std::env::set_current_dir(process.cwd.as_os_str()).during(format!("cwd: {}", process.cwd))?;
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

/// The working directory, made where the image lacks it, as docker does.
pub(super) fn make_working_directory(process: &Process) -> Result<(), StartError> {
    fs::create_dir_all(process.cwd.as_os_str()).during(format!("cwd: make {}", process.cwd))
}
