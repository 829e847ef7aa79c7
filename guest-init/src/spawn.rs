//! From a [`Process`] to a process.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use protocol::Process;
use rustix::fs::Mode;
use rustix::process::{Gid, Pid, Resource, Rlimit, Uid};

use crate::error::{During, StartError};
use crate::users::User;
use crate::{capabilities, command, environment};

/// systemd's default, and so docker's: enough descriptors for servers, a soft limit that select(2) survives.
const OPEN_FILES: Rlimit = Rlimit { current: Some(1024), maximum: Some(524_288) };

/// Starts `process` as `user`, in the root that is already the image's. PID 1 has one thread yet.
pub(crate) fn spawn(
    process: &Process,
    user: &User,
    stdio: [OwnedFd; 3],
) -> Result<Pid, StartError> {
    let environment = environment::build(&process.env, user, &process.hostname);
    // PID 1 goes there itself: as root, so that a user may work in a folder that it could not enter, as in docker;
    // and before the command is looked up, because `./command` is relative to it.
    std::env::set_current_dir(process.cwd.as_os_str()).during(format!("cwd: {}", process.cwd))?;
    let path = environment::get(&environment, b"PATH").unwrap_or_default();
    let Some((name, arguments)) = process.args.split_first() else {
        return Err(protocol::ProcessError::NoCommand.into());
    };
    let file = command::find(name, path)?;
    for pipe in &stdio {
        // /dev/stdout is opened by path, and so by permission.
        rustix::fs::fchown(pipe, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))
            .during("give stdin, stdout and stderr to the user")?;
    }
    rustix::process::setrlimit(Resource::Nofile, OPEN_FILES).during("limit open files")?;
    rustix::process::umask(Mode::from_raw_mode(0o022));

    let [stdin, stdout, stderr] = stdio;
    let mut child = Command::new(&file);
    child.arg0(name.as_os_str()).args(arguments.iter().map(|argument| argument.as_os_str()));
    child.env_clear().envs(
        environment.iter().map(|(name, value)| (OsStr::from_bytes(name), OsStr::from_bytes(value))),
    );
    child.stdin(stdin).stdout(stdout).stderr(stderr);
    let groups: Vec<Gid> = user.groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    // SAFETY: between fork and exec the closure only makes system calls on values that exist: it allocates nothing and
    // takes no lock.
    unsafe { child.pre_exec(move || become_user(uid, gid, &groups)) };
    // The standard library gives signals their default actions and, as nobody blocked any, leaves none blocked.
    let child = child.spawn().map_err(|error| command::explain(&file, &error))?;
    Ok(Pid::from_child(&child))
}

/// A session of its own, then fewer rights, in the order in which each step still may.
fn become_user(uid: Uid, gid: Gid, groups: &[Gid]) -> io::Result<()> {
    rustix::process::setsid()?;
    capabilities::bound()?;
    rustix::thread::set_thread_groups(groups)?;
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid)?;
    if uid.is_root() { Ok(capabilities::reduce()?) } else { Ok(()) }
}

/// The working directory, made where the image lacks it, as docker does.
pub(crate) fn make_working_directory(process: &Process) -> Result<(), StartError> {
    fs::create_dir_all(process.cwd.as_os_str()).during(format!("cwd: make {}", process.cwd))
}
