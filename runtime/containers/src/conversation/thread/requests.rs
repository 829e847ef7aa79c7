//! What the conversation is asked for, on its way to the guest.

use protocol::{Start, ToGuest};

use super::super::ConversationError;
use super::super::answer::tell;
use super::super::asked::Question;
use super::super::copies::Direction;
use super::super::process::Process;
use super::super::request::Request;
use super::super::setup::clock;
use super::Conversation;

impl Conversation {
    /// Somebody asks for something.
    pub(super) fn take(&mut self, request: Request) -> Result<(), ConversationError> {
        if let Request::Signal { process: 0, number } = request
            && self.processes.first().is_none_or(|first| !first.runs() || first.has_ended())
        {
            // Nobody is there to take it, or its output's reader does not: stop waiting for that.
            return Err(ConversationError::Interrupted(number));
        }
        match request {
            // It may have got ready in this moment.
            Request::GiveUp(_) if self.unready.is_none() && self.unstarted.is_none() => Ok(()),
            Request::GiveUp(why) => Err(ConversationError::NotReady(why)),
            request if self.unready.is_some() => {
                self.early.push_back(request);
                Ok(())
            }
            request => self.pass_on(request),
        }
    }

    pub(super) fn pass_on(&mut self, request: Request) -> Result<(), ConversationError> {
        let Some(control) = &mut self.control else { return Ok(()) };
        let starts = matches!(request, Request::Start { .. });
        self.unstarted.take_if(|_| !starts && self.processes.first().is_none());
        match request {
            Request::Start { process, terminal, streams, started, exit } => {
                let number = match self.processes.next() {
                    Ok(number) => number,
                    Err(error) => {
                        tell(started, Err(error.into()));
                        return Ok(());
                    }
                };
                let stdin = streams.stdin.is_some();
                let start = Start { number, process: *process, terminal, stdin };
                match control.send(&ToGuest::Start(Box::new(start))) {
                    // This one's fault only.
                    Err(error @ ConversationError::TooLong(_)) => {
                        tell(started, Err(error.into()));
                        return Ok(());
                    }
                    result => result?,
                }
                let process = Process::new(number, streams, terminal.is_some(), started, exit);
                self.processes.add(process);
            }
            Request::Signal { process, number } => {
                control.send(&ToGuest::Signal { process, number })?;
            }
            Request::Resize { process, size } => {
                control.send(&ToGuest::Resize { process, size })?;
            }
            Request::Freeze(reply) => {
                if self.asked.push(Question::Freeze(reply)).is_some() {
                    control.send(&ToGuest::Freeze)?;
                }
            }
            Request::Thaw(reply) => {
                if self.asked.push(Question::Thaw(reply)).is_some() {
                    control.send(&ToGuest::Thaw { clock: clock()? })?;
                }
            }
            Request::Statistics(reply) => {
                if self.asked.push(Question::Statistics(reply)).is_some() {
                    control.send(&ToGuest::Statistics)?;
                }
            }
            Request::CopyOut { path, archive, done } => {
                if let Some(transfer) = self.copies.add(Direction::Out, archive, done) {
                    control.send(&ToGuest::CopyOut { transfer, path })?;
                }
            }
            Request::CopyIn { path, archive, done } => {
                if let Some(transfer) = self.copies.add(Direction::In, archive, done) {
                    control.send(&ToGuest::CopyIn { transfer, path })?;
                }
            }
            // `take` and `talk` have seen to them.
            Request::GiveUp(_) | Request::Close => {}
        }
        Ok(())
    }
}
