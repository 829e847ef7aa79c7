//! One process of the guest, from the request to its exit.

use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};

use protocol::Stream;
use rustix::event::{PollFd, PollFlags};

use super::pump::Pump;
use super::request::{Exit, Failure, Reply, Running};
use super::{ConversationError, Stdio};

/// A process that was asked for.
pub(super) struct Process {
    number: u32,
    /// Who waits for its start, until that is told.
    started: Option<Reply<Running>>,
    /// Whoever started it waits here.
    exit: Sender<Result<Exit, Failure>>,
    /// For whom it started.
    exit_receiver: Option<Receiver<Result<Exit, Failure>>>,
    /// Until the pumps have it.
    stdio: Option<Stdio>,
    terminal: bool,
    stdin: Option<UnixStream>,
    stdout: Option<UnixStream>,
    stderr: Option<UnixStream>,
    /// Known when the guest has said that it runs.
    pid: Option<u32>,
    _input: Option<Pump>,
    output: Vec<Pump>,
    ended: Option<Exit>,
}

impl Process {
    pub(super) fn new(number: u32, stdio: Stdio, terminal: bool, started: Reply<Running>) -> Self {
        let (exit, exit_receiver) = channel();
        Self {
            number,
            started: Some(started),
            exit,
            exit_receiver: Some(exit_receiver),
            stdio: Some(stdio),
            terminal,
            stdin: None,
            stdout: None,
            stderr: None,
            pid: None,
            _input: None,
            output: Vec::new(),
            ended: None,
        }
    }

    /// Whether the guest has said that it runs.
    pub(super) fn runs(&self) -> bool {
        self.pid.is_some()
    }

    /// One of its streams.
    pub(super) fn place(
        &mut self,
        kind: Stream,
        stream: UnixStream,
    ) -> Result<(), ConversationError> {
        let wrong = |what: &str| ConversationError::Protocol(format!("opened {kind:?} {what}"));
        let has_stdin = self.stdio.as_ref().is_some_and(|stdio| stdio.stdin.is_some());
        let (slot, wanted) = match kind {
            Stream::Stdin { .. } => (&mut self.stdin, has_stdin),
            Stream::Stderr { .. } => (&mut self.stderr, !self.terminal),
            _ => (&mut self.stdout, true),
        };
        if self.stdio.is_none() || slot.is_some() {
            return Err(wrong("twice"));
        }
        if !wanted {
            return Err(wrong("for a process without it"));
        }
        *slot = Some(stream);
        self.begin()
    }

    /// The guest says that it runs.
    pub(super) fn started(&mut self, pid: u32) -> Result<(), ConversationError> {
        if self.pid.replace(pid).is_some() {
            return Err(ConversationError::Protocol(format!(
                "started process {} twice",
                self.number
            )));
        }
        self.begin()
    }

    /// Once its streams are there and it runs: starts the copying, and tells.
    fn begin(&mut self) -> Result<(), ConversationError> {
        let Some(pid) = self.pid else { return Ok(()) };
        let complete = |stdio: &mut Stdio| {
            self.stdout.is_some()
                && self.stdin.is_some() == stdio.stdin.is_some()
                && self.stderr.is_some() != self.terminal
        };
        let Some(stdio) = self.stdio.take_if(complete) else { return Ok(()) };
        if let (Some(source), Some(stream)) = (stdio.stdin, self.stdin.take()) {
            self._input = Some(Pump::input(source, stream)?);
        }
        let outputs = [(self.stdout.take(), stdio.stdout), (self.stderr.take(), stdio.stderr)];
        for (stream, sink) in outputs {
            if let Some(stream) = stream {
                self.output.push(Pump::output(stream, sink)?);
            }
        }
        if let (Some(started), Some(exit)) = (self.started.take(), self.exit_receiver.take()) {
            // Who does not want to know any more has dropped the other end.
            let _ = started.send(Ok(Running { number: self.number, pid, exit }));
        }
        Ok(())
    }

    /// The guest says that it ended.
    pub(super) fn ended(&mut self, exit: Exit) -> Result<(), ConversationError> {
        if self.pid.is_none() || self.ended.replace(exit).is_some() {
            let what = format!("ended process {}, which does not run", self.number);
            return Err(ConversationError::Protocol(what));
        }
        Ok(())
    }

    /// How it ended, when its output has been passed on as well.
    pub(super) fn is_over(&self) -> Result<Option<Exit>, ConversationError> {
        if self.stdio.is_some() {
            return Ok(None);
        }
        for pump in &self.output {
            if !pump.is_done()? {
                return Ok(None);
            }
        }
        Ok(self.ended)
    }

    /// Whether all that is missing is somebody who takes its output.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Tells whoever waits.
    pub(super) fn tell(self, result: Result<Exit, Failure>) {
        // As in `begin`.
        let _ = match (self.started, result) {
            (Some(started), Err(failure)) => started.send(Err(failure)).is_ok(),
            (_, result) => self.exit.send(result).is_ok(),
        };
    }

    /// What to poll for: only what is still awaited, since an end would be reported again and again.
    pub(super) fn interests(&self) -> impl Iterator<Item = PollFd<'_>> {
        let awaited = |pump: &&Pump| !pump.is_done().unwrap_or(true);
        let output = self.output.iter().filter(|_| self.ended.is_some()).filter(awaited);
        output.map(|pump| PollFd::new(pump, PollFlags::IN))
    }
}
