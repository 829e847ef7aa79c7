//! This machine's `/` as a file system of the emulated host, served by virtiofsd.

use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use host::child::spawn_bound;
use rustix::process::Signal;

use crate::error::{Doing, Error};

/// What the host has read of a file, it keeps when the file is opened again: with `cache=auto` each start of a program read it
/// anew, to other pages, and QEMU translated it anew, which took ten times as long as all the rest. After a second it asks
/// for the file's time and size, and forgets what has changed outside.
const CACHE: &str = "cache=always,timeout=1";

/// Starts a server; the returned socket is the emulator's end. The server ends when it is closed.
pub fn serve(program: &Path) -> Result<(Child, UnixStream), Error> {
    let (listener, client) = connected()?;
    let mut command = Command::new(program);
    command.arg(format!("--fd={}", listener.as_raw_fd()));
    if program.starts_with("/usr/libexec") {
        // The implementation in Rust, since Debian 13.
        command.args(["--shared-dir=/", "--cache=auto", "--sandbox=none"]);
    } else if rustix::process::geteuid().is_root() {
        command.args(["-f", "-o", &format!("source=/,{CACHE},sandbox=chroot,log_level=err")]);
    } else {
        let message =
            "this release's virtiofsd works for root only: run it as root, or use Debian 13";
        return Err(Error::Missing(message.into()));
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = spawn_bound(&mut command, &[listener.as_fd()], Signal::KILL)
        .doing(|| format!("start {}", program.display()))?;
    Ok((child, client))
}

/// A listening socket with one connection waiting, whose name is gone again: the server insists on
/// accepting its connection, and a name would be left behind by a SIGKILL.
fn connected() -> Result<(UnixListener, UnixStream), Error> {
    let doing = || "make a socket for the emulated host's root".to_owned();
    let dir = tempfile::tempdir().doing(doing)?;
    let path = dir.path().join("socket");
    let listener = UnixListener::bind(&path).doing(doing)?;
    let client = UnixStream::connect(&path).doing(doing)?;
    Ok((listener, client))
}
