//! One process of the guest, from the request to its exit.

use std::io;
use std::os::unix::net::UnixStream;

use protocol::Stream;
use rustix::event::{PollFd, PollFlags};

use super::answer::{Reply, tell};
use super::pump::Pump;
use super::request::{Exit, Failure, Started};
use super::{ConversationError, Stdio};

/// A process that was asked for.
pub(super) struct Process {
    number: u32,
    /// Who waits for its start, until that is told.
    started: Option<Reply<Started>>,
    /// Whoever started it waits here.
    exit: Reply<Exit>,
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

/// What becomes of a process by what it was told, or given.
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Fate {
    LivesOn,
    /// Nobody has its streams, and who wanted it was told that it is not to be.
    ToBeKilled,
}

impl Process {
    pub(super) fn new(
        number: u32,
        stdio: Stdio,
        terminal: bool,
        started: Reply<Started>,
        exit: Reply<Exit>,
    ) -> Self {
        Self {
            number,
            started: Some(started),
            exit,
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
    ) -> Result<Fate, ConversationError> {
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
    pub(super) fn started(&mut self, pid: u32) -> Result<Fate, ConversationError> {
        if self.pid.replace(pid).is_some() {
            return Err(ConversationError::Protocol(format!(
                "started process {} twice",
                self.number
            )));
        }
        self.begin()
    }

    /// Once its streams are there and it runs: starts the copying, and tells. What we lack for that is this process's end, and
    /// only the container's first takes the others along.
    fn begin(&mut self) -> Result<Fate, ConversationError> {
        let Some(pid) = self.pid else { return Ok(Fate::LivesOn) };
        let complete = |stdio: &mut Stdio| {
            self.stdout.is_some()
                && self.stdin.is_some() == stdio.stdin.is_some()
                && self.stderr.is_some() != self.terminal
        };
        let Some(stdio) = self.stdio.take_if(complete) else { return Ok(Fate::LivesOn) };
        let begun = self.copy(stdio);
        let Some(started) = self.started.take() else { return Ok(Fate::LivesOn) };
        match begun {
            Ok(()) => {
                tell(started, Ok(Started { number: self.number, pid }));
                Ok(Fate::LivesOn)
            }
            Err(error) if self.number == 0 => {
                self.started = Some(started);
                Err(error.into())
            }
            Err(error) => {
                tell(started, Err(ConversationError::from(error).into()));
                (self._input, self.stdout, self.stderr) = (None, None, None);
                self.output.clear();
                Ok(Fate::ToBeKilled)
            }
        }
    }

    fn copy(&mut self, stdio: Stdio) -> io::Result<()> {
        if let (Some(source), Some(stream)) = (stdio.stdin, self.stdin.take()) {
            self._input = Some(Pump::input(source, stream)?);
        }
        let outputs = [(self.stdout.take(), stdio.stdout), (self.stderr.take(), stdio.stderr)];
        for (stream, sink) in outputs {
            if let Some(stream) = stream {
                self.output.push(Pump::output(stream, sink)?);
            }
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
        match (self.started, result) {
            (Some(started), Err(failure)) => tell(started, Err(failure)),
            (_, result) => tell(self.exit, result),
        }
    }

    /// What to poll for: only what is still awaited, since an end would be reported again and again.
    pub(super) fn interests(&self) -> impl Iterator<Item = PollFd<'_>> {
        let awaited = |pump: &&Pump| !pump.is_done().unwrap_or(true);
        let output = self.output.iter().filter(|_| self.ended.is_some()).filter(awaited);
        output.map(|pump| PollFd::new(pump, PollFlags::IN))
    }
}
