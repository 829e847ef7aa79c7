//! The conversation itself: one thread that polls, and never waits for anything else.

mod requests;

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

use protocol::{Stream, ToGuest, ToHost};
use rustix::event::{PollFd, PollFlags};

use super::asked::Asked;
use super::calls::Calls;
use super::control::Control;
use super::copies::Copies;
use super::error::{escaped, out_of_order};
use super::process::{Fate, Process};
use super::processes::Processes;
use super::request::{End, Exit, Failure, Request, Unready};
use super::setup::setup;
use super::{ConversationError, Reception};
use crate::limits;
use host::poll::wait_until;

/// Everything that the thread knows.
pub(super) struct Conversation {
    requests: Receiver<Request>,
    wake: OwnedFd,
    vm: OwnedFd,
    end: End,
    /// Until the guest is ready.
    unready: Option<Unready>,
    /// From then until its first process runs, or something else was asked for first. Its closing says so.
    unstarted: Option<OwnedFd>,
    calls: Calls,
    control: Option<Control>,
    /// What was asked before the guest was ready.
    early: VecDeque<Request>,
    processes: Processes,
    copies: Copies,
    asked: Asked,
}

impl Conversation {
    pub(super) fn new(
        requests: Receiver<Request>,
        wake: OwnedFd,
        vm: OwnedFd,
        unready: Unready,
        end: End,
    ) -> Self {
        Self {
            requests,
            wake,
            vm,
            unready: Some(unready),
            unstarted: None,
            end,
            calls: Calls::default(),
            control: None,
            early: VecDeque::new(),
            processes: Processes::default(),
            copies: Copies::default(),
            asked: Asked::default(),
        }
    }

    /// Talks until the container has ended, and tells all who still wait why there is no more.
    pub(super) fn hold(mut self, reception: Reception) {
        let end = self.talk(&reception).err().unwrap_or(ConversationError::Over);
        let failure: Failure = Arc::new(end);
        // Before the last look at the requests: who asks later finds it.
        let _ = self.end.set(Arc::clone(&failure));
        self.processes.fail(&failure);
        self.copies.fail(&failure);
        self.asked.fail(&failure);
        for request in self.early.drain(..).chain(self.requests.try_iter()) {
            request.fail(failure.clone());
        }
    }

    fn talk(&mut self, reception: &Reception) -> Result<(), ConversationError> {
        loop {
            // Only clears it: what was asked is in the channel.
            let _ = rustix::io::read(&self.wake, &mut [0; 8]);
            loop {
                match self.requests.try_recv() {
                    Ok(Request::Close) | Err(TryRecvError::Disconnected) => return Ok(()),
                    Ok(request) => self.take(request)?,
                    Err(TryRecvError::Empty) => break,
                }
            }
            let vm_ended = self.listen(reception)?;
            self.answer_calls(reception)?;
            if let Err(error) = self.converse() {
                // It may have called since, and left: what it wrote is read to its end.
                let _ = self.answer_calls(reception);
                return Err(error);
            }
            if self.finish()? {
                return Ok(());
            }
            // What it said before its end was heard, above.
            if vm_ended {
                return Err(ConversationError::VmEnded);
            }
        }
    }

    /// Takes the guest's calls, and those that say what they are for to their places.
    fn answer_calls(&mut self, reception: &Reception) -> Result<(), ConversationError> {
        self.calls.accept(&reception.listener)?;
        for (kind, stream) in self.calls.known()? {
            self.place(kind, stream)?;
        }
        Ok(())
    }

    /// Waits until there is something to do. True: the VM is gone.
    fn listen(&self, reception: &Reception) -> Result<bool, ConversationError> {
        let mut fds = vec![PollFd::new(&self.wake, PollFlags::IN)];
        let shortage = self.calls.shortage();
        let listener = PollFd::new(&reception.listener, PollFlags::IN);
        let listener = shortage.is_none().then_some(listener);
        match &self.control {
            // The guest only waits for our goodbye, and its leaving would be reported again and again.
            Some(_) if self.is_first_over() => {}
            Some(control) => fds.push(PollFd::new(control, control.interest())),
            // A guest that has called says by itself when it leaves.
            None => fds.push(PollFd::new(&self.vm, PollFlags::IN)),
        }
        fds.extend(listener);
        fds.extend(self.calls.interests());
        fds.extend(self.processes.interests());
        fds.extend(self.copies.interests());
        wait_until(&mut fds, shortage)?;
        Ok(self.control.is_none() && !fds[1].revents().is_empty())
    }

    /// Whether the container's first process has ended, though perhaps its output has not been taken.
    fn is_first_over(&self) -> bool {
        self.processes.first().is_some_and(Process::has_ended)
    }

    /// A connection has said what it is for.
    fn place(&mut self, kind: Stream, stream: UnixStream) -> Result<(), ConversationError> {
        let unasked =
            || ConversationError::Protocol(format!("opened {kind:?}, which nobody asked for"));
        match kind {
            Stream::Control if self.control.is_some() => Err(unasked()),
            Stream::Control => {
                self.control = Some(Control::new(stream)?);
                Ok(())
            }
            Stream::Stdin { process } | Stream::Stdout { process } | Stream::Stderr { process } => {
                let Some(taken) = self.processes.get_mut(process) else {
                    // The guest said that it can't be started, and that was heard before this call.
                    return self.processes.had(process).then_some(()).ok_or_else(unasked);
                };
                let fate = taken.place(kind, stream)?;
                self.see_to(process, fate)
            }
            Stream::Transfer { transfer } => {
                self.copies.place(transfer, stream).ok_or_else(unasked)
            }
        }
    }

    fn see_to(&mut self, process: u32, fate: Fate) -> Result<(), ConversationError> {
        match (fate, &mut self.control) {
            (Fate::ToBeKilled, Some(control)) => {
                let number = rustix::process::Signal::KILL.as_raw() as u8;
                control.send(&ToGuest::Signal { process, number })
            }
            _ => Ok(()),
        }
    }

    /// Writes what waits, reads what is there, but not so much that others don't have their turn.
    fn converse(&mut self) -> Result<(), ConversationError> {
        for _ in 0..limits::MESSAGES {
            let Some(control) = &mut self.control else { break };
            control.flush()?;
            match control.receive() {
                Ok(None) => break,
                Ok(Some(message)) => self.hear(message)?,
                // It has said all that matters.
                Err(ConversationError::GuestLeft) if self.is_first_over() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn hear(&mut self, message: ToHost) -> Result<(), ConversationError> {
        let unexpected = out_of_order(&message);
        match message {
            ToHost::Ready => {
                let Unready { setting, network, unready } =
                    self.unready.take().ok_or(unexpected)?;
                let setup = setup(setting, network)?;
                self.calls.set_key(setup.key.clone());
                let message = ToGuest::Setup(Box::new(setup));
                self.control.as_mut().map(|control| control.send(&message)).transpose()?;
                self.unstarted = Some(unready);
                for request in std::mem::take(&mut self.early) {
                    self.pass_on(request)?;
                }
                Ok(())
            }
            ToHost::Started { process, .. } => {
                self.unstarted.take_if(|_| process == 0);
                let fate = self.processes.get_mut(process).ok_or(unexpected)?.started()?;
                self.see_to(process, fate)
            }
            ToHost::StartFailed { process: 0, kind, message } => {
                Err(ConversationError::StartFailed { kind, message: escaped(&message) })
            }
            ToHost::StartFailed { process, kind, message } => {
                let failed = self.processes.take_unstarted(process);
                let error = ConversationError::StartFailed { kind, message: escaped(&message) };
                failed.ok_or(unexpected)?.tell(Err(error.into()));
                Ok(())
            }
            ToHost::Exited { process, status, out_of_memory } => {
                let process = self.processes.get_mut(process).ok_or(unexpected)?;
                process.ended(Exit { status, out_of_memory })
            }
            ToHost::Copied { transfer } => self.copies.copied(transfer).ok_or(unexpected),
            ToHost::CopyFailed { transfer, message } => {
                let failure = ConversationError::Refused(escaped(&message)).into();
                self.copies.failed(transfer, failure).ok_or(unexpected)
            }
            ToHost::Frozen | ToHost::Thawed | ToHost::Statistics(_) | ToHost::Failed { .. } => {
                self.asked.answer(message)
            }
        }
    }

    /// Tells the ends of what has ended. True: the container's first process is among it.
    fn finish(&mut self) -> Result<bool, ConversationError> {
        let first_is_over = self.processes.finish()?;
        self.copies.finish()?;
        Ok(first_is_over)
    }
}
