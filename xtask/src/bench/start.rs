//! One start of a VMM, and the times at which its guest's output arrived.

use std::ffi::OsString;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use ::host::child::child_of;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::error::{Doing, Error};

/// What each of the guests prints.
pub const LINE: &[u8] = b"hello";

/// A VMM that was started.
pub struct Running {
    child: Child,
    stdout: ChildStdout,
    began: Instant,
}

/// When the guest's line came, since just before the VMM was started.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Its first byte.
    pub first: Duration,
    /// Its last byte.
    pub last: Duration,
}

impl Running {
    /// Starts a VMM by its command line.
    pub fn start(arguments: &[OsString]) -> Result<Running, Error> {
        let [program, arguments @ ..] = arguments else {
            return Err(Error::Content("an empty command line".into()));
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let mut child = command.spawn().doing(|| format!("start {}", program.display()))?;
        let stdout = child.stdout.take().ok_or_else(|| Error::Content("no pipe".into()))?;
        Ok(Running { child, stdout, began })
    }

    /// Waits for the guest's line.
    pub fn wait_for_line(&mut self) -> Result<Arrival, Error> {
        let mut output = Vec::new();
        // For each piece of output: its end, and when it came.
        let mut pieces: Vec<(usize, Duration)> = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let length = self.stdout.read(&mut buffer).doing(|| "read a guest's output".into())?;
            if length == 0 {
                return Err(self.failure(&output));
            }
            output.extend_from_slice(&buffer[..length]);
            pieces.push((output.len(), self.began.elapsed()));
            if let Some(place) = find(&output, LINE) {
                let came = |index: usize| {
                    let piece = pieces.iter().find(|(end, _)| index < *end);
                    piece.map_or(Duration::MAX, |(_, time)| *time)
                };
                return Ok(Arrival { first: came(place), last: came(place + LINE.len() - 1) });
            }
        }
    }

    /// Waits until the guest's first call reaches `host`, a listening socket; the time since just before the VMM was started.
    pub fn wait_for_call(&mut self, host: &impl AsFd) -> Result<Duration, Error> {
        // Of the output only its end counts, which is the VMM's.
        let mut fds =
            [PollFd::new(host, PollFlags::IN), PollFd::new(&self.stdout, PollFlags::empty())];
        poll(&mut fds, None).doing(|| "wait for a guest's call".into())?;
        let time = self.began.elapsed();
        if fds[0].revents().is_empty() { Err(self.failure(b"")) } else { Ok(time) }
    }

    /// The folders of `/proc` about the VMM's processes: ours has one that waits outside of the VM's jail.
    pub fn procs(&self) -> Vec<PathBuf> {
        let outer = self.child.id();
        let all = [Some(outer), child_of(outer).ok()].into_iter().flatten();
        all.map(|number| PathBuf::from("/proc").join(number.to_string())).collect()
    }

    /// Ends the VMM in order, if it has not ended yet, and returns its messages.
    pub fn stop(mut self) -> Result<String, Error> {
        // It may have ended: then this does nothing, since nobody has waited for it.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        self.messages()
    }

    fn messages(&mut self) -> Result<String, Error> {
        let mut text = String::new();
        let read = self.child.stderr.as_mut().map(|stderr| stderr.read_to_string(&mut text));
        read.transpose().doing(|| "read a VMM's messages".into())?;
        self.child.wait().doing(|| "wait for a VMM".into())?;
        Ok(text)
    }

    fn failure(&mut self, output: &[u8]) -> Error {
        let messages = self.messages().unwrap_or_default();
        let output = String::from_utf8_lossy(output);
        Error::Content(format!("a guest ended without a word\n{output}\n{messages}"))
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Running {
        Running::start(&["sh".into(), "-c".into(), script.into()]).unwrap()
    }

    #[test]
    fn the_line_is_found_after_others_and_in_pieces() {
        let mut running = shell("echo started; printf hel; sleep 0.1; echo lo; echo why >&2");
        let arrival = running.wait_for_line().unwrap();
        assert!(arrival.last - arrival.first > Duration::from_millis(50));
        assert_eq!(running.messages().unwrap(), "why\n");
    }

    #[test]
    fn a_guest_that_ends_early_is_reported_with_all_that_was_said() {
        let error = shell("echo one; echo two >&2").wait_for_line().unwrap_err().to_string();
        assert!(error.contains("one") && error.contains("two"), "{error}");
    }

    #[test]
    fn a_vmm_is_stopped() {
        shell("echo hello; exec sleep 60").stop().unwrap();
    }
}
