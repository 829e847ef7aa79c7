//! The virtio-serial ports as the kernel of the emulated host shows them.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::host::wire::PORTS;

/// The kernel learns of the ports by messages of its own, which may still be under way.
const PATIENCE: Duration = Duration::from_secs(20);

/// The open ports.
pub struct Ports {
    /// Requests and replies.
    pub control: File,
    /// The command's standard input.
    pub stdin: File,
    /// The command's standard output.
    pub stdout: File,
    /// The command's standard error.
    pub stderr: File,
    /// Questions whether this machine goes on, and the answers.
    pub heartbeat: File,
}

impl Ports {
    /// Opens all ports once they are there and connected.
    pub fn open() -> io::Result<Ports> {
        let [control, stdin, stdout, stderr, heartbeat] = PORTS;
        let deadline = Instant::now() + PATIENCE;
        let open = |name| open(name, deadline);
        Ok(Ports {
            control: open(control)?,
            stdin: open(stdin)?,
            stdout: open(stdout)?,
            stderr: open(stderr)?,
            heartbeat: open(heartbeat)?,
        })
    }
}

fn open(name: &str, deadline: Instant) -> io::Result<File> {
    let path = retry(deadline, || find(name))
        .ok_or_else(|| io::Error::other(format!("no virtio-serial port named {name}")))?;
    let port = File::options().read(true).write(true).open(path)?;
    // A port whose other side is not connected yet reads as an end of file.
    retry(deadline, || is_connected(&port).then_some(()))
        .ok_or_else(|| io::Error::other(format!("port {name} is not connected")))?;
    Ok(port)
}

fn retry<T>(deadline: Instant, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        match attempt() {
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            result => return result,
        }
    }
}

fn find(name: &str) -> Option<PathBuf> {
    let entries = fs::read_dir("/sys/class/virtio-ports").ok()?;
    entries.flatten().find_map(|entry| {
        let found = fs::read_to_string(entry.path().join("name")).ok()?;
        (found.trim_end() == name).then(|| PathBuf::from("/dev").join(entry.file_name()))
    })
}

fn is_connected(port: &File) -> bool {
    let mut fds = [PollFd::new(port, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok() && !fds[0].revents().contains(PollFlags::HUP)
}
