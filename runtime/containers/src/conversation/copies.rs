//! Archives on their way into the container, and out of it.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags};

use super::ConversationError;
use super::answer::{Reply, tell};
use super::pump::Pump;
use super::request::Failure;
use crate::limits;

/// All that are under way, by the numbers that the guest knows them by.
#[derive(Default)]
pub(super) struct Copies {
    under_way: BTreeMap<u32, Copy>,
    next: u32,
}

/// As the container sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

struct Copy {
    direction: Direction,
    /// Until its stream is there.
    archive: Option<OwnedFd>,
    pump: Option<Pump>,
    /// The guest's word that it did its part.
    copied: bool,
    /// Until it is told.
    done: Option<Reply<()>>,
}

impl Copies {
    /// One more. Returns its number, unless there are too many: then `done` is told.
    pub(super) fn add(
        &mut self,
        direction: Direction,
        archive: OwnedFd,
        done: Reply<()>,
    ) -> Option<u32> {
        let most = limits::COPIES;
        if self.under_way.len() >= most {
            tell(done, Err(ConversationError::Silent(most).into()));
            return None;
        }
        let (archive, done) = (Some(archive), Some(done));
        let copy = Copy { direction, archive, pump: None, copied: false, done };
        let number = self.next;
        self.under_way.insert(number, copy);
        self.next += 1;
        Some(number)
    }

    /// Its stream is there. `None`: nobody asked for it, or it was there before. What we lack for it is the end of this one.
    pub(super) fn place(&mut self, number: u32, stream: UnixStream) -> Option<()> {
        let Some(copy) = self.under_way.get_mut(&number) else {
            // The guest said that it failed, and that was heard before this call.
            return (number < self.next).then_some(());
        };
        let archive = copy.archive.take()?;
        let pump = match copy.direction {
            Direction::Out => Pump::output(stream, archive),
            Direction::In => Pump::input(archive, stream),
        };
        match pump {
            Ok(pump) => copy.pump = Some(pump),
            Err(error) => copy.tell(Err(ConversationError::from(error).into())),
        }
        Some(())
    }

    /// The guest has done its part. `None`: of nothing that anybody asked for, or a second time.
    pub(super) fn copied(&mut self, number: u32) -> Option<()> {
        let copy = self.under_way.get_mut(&number)?;
        (!std::mem::replace(&mut copy.copied, true)).then_some(())
    }

    /// The guest could not. `None`: as above.
    pub(super) fn failed(&mut self, number: u32, failure: Failure) -> Option<()> {
        self.under_way.remove(&number)?.tell(Err(failure));
        Some(())
    }

    /// Tells of those that are complete.
    pub(super) fn finish(&mut self) -> Result<(), ConversationError> {
        let mut complete = Vec::new();
        for (&number, copy) in &self.under_way {
            let done = match &copy.pump {
                Some(pump) if copy.copied => copy.direction == Direction::In || pump.is_done()?,
                // What failed here is over when the guest has no more to say about it.
                None if copy.done.is_none() => copy.copied,
                _ => false,
            };
            if done {
                complete.push(number);
            }
        }
        for number in complete {
            if let Some(mut copy) = self.under_way.remove(&number) {
                copy.tell(Ok(()));
            }
        }
        Ok(())
    }

    /// None of them will be.
    pub(super) fn fail(&mut self, failure: &Failure) {
        for mut copy in std::mem::take(&mut self.under_way).into_values() {
            copy.tell(Err(failure.clone()));
        }
    }

    /// What to poll for.
    pub(super) fn interests(&self) -> impl Iterator<Item = PollFd<'_>> {
        let pumps = self.under_way.values().filter(|copy| copy.copied);
        pumps.filter_map(|copy| Some(PollFd::new(copy.pump.as_ref()?, PollFlags::IN)))
    }
}

impl Copy {
    fn tell(&mut self, how: Result<(), Failure>) {
        if let Some(done) = self.done.take() {
            tell(done, how);
        }
    }
}
