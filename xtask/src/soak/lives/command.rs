//! One command under way.

use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::processes::ended_within;
use crate::error::{Doing, Error};

/// With this status a Rust program ends that has panicked (std, `process::exit` after `lang_start`).
const PANICKED: i32 = 101;

/// A command that was started.
pub struct Running {
    child: Child,
    pidfd: OwnedFd,
    /// Something comes with its first byte of output; nothing more comes once there will be none.
    first: Receiver<()>,
    output: [JoinHandle<Vec<u8>>; 2],
    line: String,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    line: String,
    /// Exit status, or minus the number of the signal that ended it.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Running {
    /// Starts it. It has pipes for what it writes.
    pub fn start(mut command: Command) -> Result<Running, Error> {
        let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
        let line = format!("bulkhead {}", words.collect::<Vec<_>>().join(" "));
        let doing = || format!("start {line}");
        let mut child = command.spawn().doing(doing)?;
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).doing(doing)?;
        let (sender, first) = channel();
        let missing = || Error::Content(format!("{line}: no pipes"));
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let output = [
            thread::spawn(move || read(stdout, Some(sender))),
            thread::spawn(move || read(stderr, None)),
        ];
        Ok(Running { child, pidfd, first, output, line })
    }

    /// Whether there is output within this time.
    pub fn has_output_within(&self, time: Duration) -> bool {
        self.first.recv_timeout(time).is_ok()
    }

    /// Whether it ends within this time.
    pub fn ends_within(&self, time: Duration) -> Result<bool, Error> {
        ended_within(&[&self.pidfd], time).doing(|| format!("wait for {}", self.line))
    }

    /// Kills it.
    pub fn kill(&self) -> Result<(), Error> {
        // It was not waited for, so that it is there.
        pidfd_send_signal(&self.pidfd, Signal::KILL).doing(|| format!("kill {}", self.line))
    }

    /// Waits for its end, for as long as that takes.
    pub fn outcome(mut self) -> Result<Outcome, Error> {
        let status = self.child.wait().doing(|| format!("wait for {}", self.line))?;
        let text = |thread: JoinHandle<Vec<u8>>| {
            String::from_utf8_lossy(&thread.join().unwrap_or_default()).into_owned()
        };
        let [stdout, stderr] = self.output.map(text);
        let status = status.code().unwrap_or_else(|| -status.signal().unwrap_or_default());
        Ok(Outcome { line: self.line, status, stdout, stderr })
    }
}

impl Outcome {
    /// Ended by a signal, or in a panic, which is nobody's wish.
    pub fn is_crash(&self) -> bool {
        self.status < 0 || self.status == PANICKED || self.stderr.contains("panicked at")
    }

    /// What a person wants to know of it.
    pub fn describe(&self) -> String {
        let Outcome { line, status, stdout, stderr } = self;
        format!("{line}: status {status}, stdout {stdout:?}, stderr {stderr:?}")
    }
}

fn read(mut from: impl Read, first: Option<Sender<()>>) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match from.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return all,
            Ok(length) => {
                all.extend_from_slice(&buffer[..length]);
                // Nobody may listen any more.
                let _ = first.as_ref().map(|first| first.send(()));
            }
        }
    }
}
