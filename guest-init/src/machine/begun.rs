//! What comes of a start: the reports of guest-init's program for the container, for which nobody waits for ever.
//!
//! That program walks among the container's processes before it is one of them. They may stop it (kill(2)), or have it look
//! at files that never answer; then its start fails, and nothing else.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::error::{During, StartError};
use crate::order::{self, Report};

/// How long it may take to become the container's process. Milliseconds are usual, some seconds happen on an emulated
/// processor under load; meanwhile guest-init does nothing else.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A process of the container that runs its own program.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) pid: Pid,
    /// The controlling side of its terminal.
    pub(super) terminal: Option<OwnedFd>,
}

/// Waits for it. One that does not come about is killed, as is the program that was to become it. Nobody may reap meanwhile:
/// the number would be another's.
pub(super) fn wait(
    program: &mut Child,
    socket: &OwnedFd,
    patience: Duration,
) -> Result<Begun, StartError> {
    let (mut number, mut terminal) = (None, None);
    let reported = hear(socket, patience, &mut number, &mut terminal);
    let pid = number.and_then(|number| Pid::from_raw(i32::try_from(number).ok()?));
    if let Err(error) = reported {
        let _ = program.kill();
        // It may not have been forked yet, or be gone.
        let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
        return Err(error);
    }
    // It has forked the process and is done.
    let _ = program.wait();
    let pid = pid.ok_or_else(|| io::Error::other("its program died")).during("start")?;
    Ok(Begun { pid, terminal })
}

fn hear(
    socket: &OwnedFd,
    patience: Duration,
    number: &mut Option<u32>,
    terminal: &mut Option<OwnedFd>,
) -> Result<(), StartError> {
    let deadline = Instant::now() + patience;
    let mut failure = None;
    loop {
        order::await_message(socket, deadline)?;
        match order::receive(socket)? {
            Some((Report::Pid(pid), _)) => *number = Some(pid),
            Some((Report::Terminal, descriptor)) => *terminal = descriptor,
            Some((Report::Failed(kind, message), _)) => {
                failure = Some(StartError::Reported(kind, message));
            }
            None => return failure.map_or(Ok(()), Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("1000").spawn().unwrap()
    }

    #[test]
    fn a_program_that_reports_nothing_is_killed_with_what_it_forked() {
        let (ours, theirs) = order::pair().unwrap();
        let (mut program, mut forked) = (sleeper(), sleeper());
        order::send(&theirs, &Report::Pid(forked.id()), None).unwrap();
        // `theirs` stays open, as with a process that is stopped.
        let error = wait(&mut program, &ours, Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("container's program"), "{error}");
        assert_eq!(program.wait().unwrap().signal(), Some(libc::SIGKILL));
        assert_eq!(forked.wait().unwrap().signal(), Some(libc::SIGKILL));
        drop(theirs);
    }

    #[test]
    fn a_report_that_makes_no_sense_is_a_failed_start() {
        let (ours, theirs) = order::pair().unwrap();
        let mut program = sleeper();
        order::send(&theirs, &"what?", None).unwrap();
        let error = wait(&mut program, &ours, PATIENCE).unwrap_err();
        assert!(error.to_string().starts_with("read a message"), "{error}");
        assert_eq!(program.wait().unwrap().signal(), Some(libc::SIGKILL));
    }

    #[test]
    fn the_process_is_the_one_that_was_reported() {
        let (ours, theirs) = order::pair().unwrap();
        let mut program = Command::new("true").spawn().unwrap();
        order::send(&theirs, &Report::Pid(program.id()), None).unwrap();
        let expected = Pid::from_child(&program);
        drop(theirs);
        assert_eq!(wait(&mut program, &ours, PATIENCE).unwrap().pid, expected);
    }
}
