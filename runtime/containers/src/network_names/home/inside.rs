//! The first process of a home: it makes a place for the programs that make networks, and ends when nobody is in it any more.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FlockOperation, fcntl_lock, flock, unlinkat};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change,
};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::start::READY;
use super::{HOME, HomeError, failed};

/// Whom a resolver asks (resolv.conf(5)): aardvark-dns reads it for what it does not know itself.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Links that lead there, one after the other: as many as the kernel follows (linux `include/linux/namei.h`, MAXSYMLINKS).
const MAX_LINKS: usize = 40;

/// Where the runtime has what does not outlive a start of the machine, and what of it is the users' own.
const RUN: &str = "/run";
const RUN_USER: &str = "/run/user";

/// Where root's networks are on the host, and a user's in here.
const OWN: &str = "/run/bulkhead";

/// Lives as long as somebody has a lock on the file at `path`. At stdin is what the file resolv.conf is to say; at stdout it is
/// told when all is ready.
pub fn hold(path: &Path) -> Result<(), HomeError> {
    // pasta is what connects us with anybody.
    let bound = set_parent_process_death_signal(Some(Signal::KILL));
    bound.map_err(prepare("stay with pasta"))?;
    // SAFETY: SIG_IGN is no function of ours. Orphans of this process namespace are ours, and end without being waited for
    // (sigaction(2), SIGCHLD).
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    let base = path.parent().unwrap_or(path);
    let base = File::open(base).map_err(failed("open", base))?;
    let file = File::options().read(true).write(true).open(path).map_err(failed("open", path))?;
    fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|error| failed("lock", path)(error.into()))?;
    let mut resolv_conf = Vec::new();
    io::stdin().read_to_end(&mut resolv_conf).map_err(prepare_io("read stdin"))?;
    make_place(&resolv_conf)?;
    say_ready().map_err(prepare_io("say that all is ready"))?;
    while let Err(error) = flock(&file, FlockOperation::LockExclusive) {
        if error != Errno::INTR {
            return Err(failed("lock", path)(error.into()));
        }
    }
    // Whoever has opened it meanwhile finds that it is gone.
    let _ = unlinkat(&base, HOME, AtFlags::empty());
    Ok(())
}

fn prepare(action: &'static str) -> impl Fn(Errno) -> HomeError {
    move |error| HomeError::Prepare { action, source: error.into() }
}

fn prepare_io(action: &'static str) -> impl Fn(io::Error) -> HomeError {
    move |source| HomeError::Prepare { action, source }
}

/// Mounts of its own: what is at /run on the host is root's, and of other networks.
fn make_place(resolv_conf: &[u8]) -> Result<(), HomeError> {
    // SAFETY: there is one thread; its mounts become its own.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.map_err(prepare("make a mount namespace"))?;
    // What is mounted on the host later appears here too, as homes of users.
    let follow = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
    mount_change("/", follow).map_err(prepare("change mounts"))?;
    let hard = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", hard, None).map_err(prepare("mount /proc"))?;
    let users = File::open(RUN_USER).ok();
    let place = resolv_conf_place();
    let run = MountFlags::NOSUID | MountFlags::NODEV;
    mount("tmpfs", RUN, "tmpfs", run, Some(c"mode=755")).map_err(prepare("mount /run"))?;
    fs::create_dir(OWN).map_err(prepare_io("make /run/bulkhead"))?;
    if let Some(users) = users {
        fs::create_dir(RUN_USER).map_err(prepare_io("make /run/user"))?;
        let found = format!("/proc/self/fd/{}", users.as_raw_fd());
        mount_bind_recursive(found, RUN_USER).map_err(prepare("mount /run/user"))?;
    }
    let Some(place) = place else { return Ok(()) };
    let own =
        if place.starts_with(RUN) { place.clone() } else { Path::new(RUN).join("resolv.conf") };
    let make = prepare_io("make /etc/resolv.conf");
    fs::create_dir_all(own.parent().unwrap_or(&own)).map_err(&make)?;
    fs::write(&own, resolv_conf).map_err(&make)?;
    match own == place {
        true => Ok(()),
        false => mount_bind(&own, &place).map_err(prepare("mount /etc/resolv.conf")),
    }
}

/// The file behind links, or the first that is in /run. Without any, nobody is asked.
fn resolv_conf_place() -> Option<PathBuf> {
    let mut path = PathBuf::from(RESOLV_CONF);
    for _ in 0..MAX_LINKS {
        let folder = fs::canonicalize(path.parent()?).ok()?;
        path = folder.join(path.file_name()?);
        match fs::read_link(&path) {
            _ if path.starts_with(RUN) => return Some(path),
            // One that leads on, from where it is.
            Ok(next) => path = folder.join(next),
            Err(_) => return path.is_file().then_some(path),
        }
    }
    None
}

fn say_ready() -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(READY)?;
    out.flush()?;
    // Whoever listened has heard it.
    let null = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(rustix::stdio::dup2_stderr(&null)?)
}
