//! Archives on their way into the container, and out of it.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags};

use super::ConversationError;
use super::pump::Pump;
use super::request::{Failure, Reply, tell};

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
    done: Reply<()>,
}

impl Copies {
    /// One more. Returns its number.
    pub(super) fn add(&mut self, direction: Direction, archive: OwnedFd, done: Reply<()>) -> u32 {
        let archive = Some(archive);
        let copy = Copy { direction, archive, pump: None, copied: false, done };
        let number = self.next;
        self.under_way.insert(number, copy);
        self.next += 1;
        number
    }

    /// Its stream is there. `None`: nobody asked for it, or it was there before.
    pub(super) fn place(
        &mut self,
        number: u32,
        stream: UnixStream,
    ) -> Result<Option<()>, ConversationError> {
        let Some(copy) = self.under_way.get_mut(&number) else { return Ok(None) };
        let Some(archive) = copy.archive.take() else { return Ok(None) };
        copy.pump = Some(match copy.direction {
            Direction::Out => Pump::output(stream, archive)?,
            Direction::In => Pump::input(archive, stream)?,
        });
        Ok(Some(()))
    }

    /// The guest has done its part. `None`: of nothing that anybody asked for.
    pub(super) fn copied(&mut self, number: u32) -> Option<()> {
        self.under_way.get_mut(&number)?.copied = true;
        Some(())
    }

    /// The guest could not. `None`: as above.
    pub(super) fn failed(&mut self, number: u32, failure: Failure) -> Option<()> {
        tell(self.under_way.remove(&number)?.done, Err(failure));
        Some(())
    }

    /// Tells of those that are complete.
    pub(super) fn finish(&mut self) -> Result<(), ConversationError> {
        let mut complete = Vec::new();
        for (&number, copy) in &self.under_way {
            let done = match &copy.pump {
                Some(pump) if copy.copied => copy.direction == Direction::In || pump.is_done()?,
                _ => false,
            };
            if done {
                complete.push(number);
            }
        }
        for number in complete {
            if let Some(copy) = self.under_way.remove(&number) {
                tell(copy.done, Ok(()));
            }
        }
        Ok(())
    }

    /// None of them will be.
    pub(super) fn fail(&mut self, failure: &Failure) {
        for copy in std::mem::take(&mut self.under_way).into_values() {
            tell(copy.done, Err(failure.clone()));
        }
    }

    /// What to poll for.
    pub(super) fn interests(&self) -> impl Iterator<Item = PollFd<'_>> {
        let pumps = self.under_way.values().filter(|copy| copy.copied);
        pumps.filter_map(|copy| Some(PollFd::new(copy.pump.as_ref()?, PollFlags::IN)))
    }
}
