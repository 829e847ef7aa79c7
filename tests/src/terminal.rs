//! A command on a real terminal (pty(7)), and somebody who types.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// How long anything may take to be shown.
const PATIENCE: Duration = Duration::from_secs(120);

/// The person's side of a terminal. Dropped, the command is killed.
pub struct Terminal {
    child: Child,
    screen: File,
    /// What was shown and not expected yet.
    shown: Vec<u8>,
}

impl Terminal {
    /// Starts the command on a new terminal, in the background of nobody.
    pub fn start(command: &mut Command, rows: u16, columns: u16) -> Terminal {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let screen: OwnedFd = openpt(flags).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let device = ioctl_tiocgptpeer(&screen, flags).unwrap();
        let copy = || device.try_clone().unwrap();
        // A session of its own with this terminal, as a person's shell has: what is resized sends its signal there.
        let mut setsid = Command::new("setsid");
        setsid.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        setsid
            .env_clear()
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        setsid.current_dir(command.get_current_dir().unwrap());
        setsid.stdin(copy()).stdout(copy()).stderr(copy());
        set_size(screen.as_fd(), rows, columns);
        Terminal { child: setsid.spawn().unwrap(), screen: screen.into(), shown: Vec::new() }
    }

    /// Gives the window another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        set_size(self.screen.as_fd(), rows, columns);
    }

    /// Types.
    pub fn type_in(&mut self, keys: &str) {
        self.screen.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until `text` is shown, after whatever was expected before.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.shown.windows(text.len()).position(|part| part == text.as_bytes());
            if let Some(at) = found {
                self.shown.drain(..at + text.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let shown = String::from_utf8_lossy(&self.shown).into_owned();
            assert!(self.read(left), "{text:?} is not shown; this is: {shown:?}");
        }
    }

    /// Waits for the end; the exit status, or minus the number of the signal that ended it.
    #[track_caller]
    pub fn wait(mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        // To the end of what is shown, or it would wait for a reader.
        while self.read(deadline.saturating_duration_since(Instant::now())) {}
        let shown = String::from_utf8_lossy(&self.shown).into_owned();
        assert!(Instant::now() < deadline, "did not end; shown: {shown:?}");
        let status = self.child.wait().unwrap();
        status.code().unwrap_or_else(|| -status.signal().unwrap_or_default())
    }

    /// Reads what is shown next. False: nothing in this time, or nothing ever.
    fn read(&mut self, time: Duration) -> bool {
        let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
        let screen = self.screen.as_fd();
        let mut fds = [PollFd::new(&screen, PollFlags::IN)];
        if !matches!(poll(&mut fds, Some(&time)), Ok(1..)) {
            return false;
        }
        let mut buffer = [0; 4096];
        // A terminal that nobody has open any more reads as an error.
        let count = self.screen.read(&mut buffer).unwrap_or(0);
        self.shown.extend(&buffer[..count]);
        count > 0
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // After `wait` there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn set_size(screen: BorrowedFd<'_>, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(screen, size).unwrap();
}
