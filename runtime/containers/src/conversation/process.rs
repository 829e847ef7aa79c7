//! One process of the guest, from the request to its exit.

use std::io;
use std::os::unix::net::UnixStream;

use protocol::Stream;
use rustix::event::{PollFd, PollFlags};

use super::answer::{Reply, tell};
use super::pump::Pump;
use super::request::{Exit, Failure, Started};
use super::{ConversationError, Streams};

/// A process that was asked for.
pub(super) struct Process {
    number: u32,
    /// Who waits for its start, until that is told.
    started: Option<Reply<Started>>,
    /// Whoever started it waits here.
    exit: Reply<Exit>,
    /// Until the pumps have it.
    streams: Option<Streams>,
    terminal: bool,
    stdin: Option<UnixStream>,
    stdout: Option<UnixStream>,
    stderr: Option<UnixStream>,
    /// The guest has said so.
    runs: bool,
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
        streams: Streams,
        terminal: bool,
        started: Reply<Started>,
        exit: Reply<Exit>,
    ) -> Self {
        Self {
            number,
            started: Some(started),
            exit,
            streams: Some(streams),
            terminal,
            stdin: None,
            stdout: None,
            stderr: None,
            runs: false,
            _input: None,
            output: Vec::new(),
            ended: None,
        }
    }

    /// Whether the guest has said that it runs.
    pub(super) fn runs(&self) -> bool {
        self.runs
    }

    /// One of its streams.
    pub(super) fn place(
        &mut self,
        kind: Stream,
        stream: UnixStream,
    ) -> Result<Fate, ConversationError> {
        let wrong = |what: &str| ConversationError::Protocol(format!("opened {kind:?} {what}"));
        let has_stdin = self.streams.as_ref().is_some_and(|streams| streams.stdin.is_some());
        let (slot, wanted) = match kind {
            Stream::Stdin { .. } => (&mut self.stdin, has_stdin),
            Stream::Stderr { .. } => (&mut self.stderr, !self.terminal),
            _ => (&mut self.stdout, true),
        };
        if self.streams.is_none() || slot.is_some() {
            return Err(wrong("twice"));
        }
        if !wanted {
            return Err(wrong("for a process without it"));
        }
        *slot = Some(stream);
        self.begin()
    }

    /// The guest says that it runs.
    pub(super) fn started(&mut self) -> Result<Fate, ConversationError> {
        if std::mem::replace(&mut self.runs, true) {
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
        if !self.runs {
            return Ok(Fate::LivesOn);
        }
        let complete = |streams: &mut Streams| {
            self.stdout.is_some()
                && self.stdin.is_some() == streams.stdin.is_some()
                && self.stderr.is_some() != self.terminal
        };
        let Some(streams) = self.streams.take_if(complete) else { return Ok(Fate::LivesOn) };
        let begun = self.copy(streams);
        let Some(started) = self.started.take() else { return Ok(Fate::LivesOn) };
        match begun {
            Ok(()) => {
                tell(started, Ok(Started { number: self.number }));
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

    fn copy(&mut self, streams: Streams) -> io::Result<()> {
        if let (Some(source), Some(stream)) = (streams.stdin, self.stdin.take()) {
            self._input = Some(Pump::input(source, stream)?);
        }
        let outputs = [(self.stdout.take(), streams.stdout), (self.stderr.take(), streams.stderr)];
        for (stream, sink) in outputs {
            if let Some(stream) = stream {
                self.output.push(Pump::output(stream, sink)?);
            }
        }
        Ok(())
    }

    /// The guest says that it ended.
    pub(super) fn ended(&mut self, exit: Exit) -> Result<(), ConversationError> {
        if !self.runs || self.ended.replace(exit).is_some() {
            let what = format!("ended process {}, which does not run", self.number);
            return Err(ConversationError::Protocol(what));
        }
        Ok(())
    }

    /// How it ended, when its output has been passed on as well.
    pub(super) fn is_over(&mut self) -> Result<Option<Exit>, ConversationError> {
        if self.streams.is_some() {
            return Ok(None);
        }
        for index in (0..self.output.len()).rev() {
            if self.output[index].is_done()? {
                self.output.swap_remove(index);
            }
        }
        Ok(self.ended.filter(|_| self.output.is_empty()))
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

    /// What to poll for: the ends that [`Self::is_over`] has not seen yet.
    pub(super) fn interests(&self) -> impl Iterator<Item = PollFd<'_>> {
        let output = self.output.iter().filter(|_| self.ended.is_some());
        output.map(|pump| PollFd::new(pump, PollFlags::IN))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;

    use host::poll::wait;
    use protocol::ExitStatus;
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::super::Stdio;
    use super::super::answer::question;
    use super::*;

    /// Ends come between two looks, too: the one that nobody has seen yet is what wakes the conversation.
    #[test]
    fn an_end_of_output_is_awaited_until_it_was_seen() {
        let pipe = || pipe_with(PipeFlags::CLOEXEC).unwrap();
        let [(out, stdout), (err, stderr)] = [pipe(), pipe()];
        let stdio = Stdio { stdin: None, stdout, stderr };
        let ((started, _start), (exit, _end)) = (question(None).unwrap(), question(None).unwrap());
        let mut process = Process::new(0, stdio.into(), false, started, exit);
        let [(theirs, stream), (_their_stderr, other)] =
            [UnixStream::pair().unwrap(), UnixStream::pair().unwrap()];
        assert!(process.place(Stream::Stdout { process: 0 }, stream).is_ok());
        assert!(process.place(Stream::Stderr { process: 0 }, other).is_ok());
        assert!(process.started().is_ok());
        process.ended(Exit { status: ExitStatus::Code(3), out_of_memory: false }).unwrap();
        assert_eq!(process.is_over().unwrap(), None);
        assert_eq!(process.interests().count(), 2);

        drop(theirs);
        wait(&mut [PollFd::new(&process.output[0], PollFlags::IN)]).unwrap();
        assert_eq!(File::from(out).read(&mut [0]).unwrap(), 0);
        assert_eq!(process.interests().count(), 2, "nobody has seen it");
        assert_eq!(process.is_over().unwrap(), None);
        assert_eq!(process.interests().count(), 1, "it would be reported again and again");
        drop((err, _their_stderr));
    }
}
