//! The processes of a conversation.

use std::collections::BTreeMap;

use rustix::event::PollFd;

use super::ConversationError;
use super::process::Process;
use super::request::Failure;
use crate::limits;

/// Those that are under way, by number.
#[derive(Default)]
pub(super) struct Processes {
    under_way: BTreeMap<u32, Process>,
    next: u32,
}

impl Processes {
    /// The number of the one that is added next.
    pub(super) fn next(&self) -> Result<u32, ConversationError> {
        if self.under_way.len() < limits::PROCESSES {
            Ok(self.next)
        } else {
            Err(ConversationError::TooMany(limits::PROCESSES))
        }
    }

    /// Adds it.
    pub(super) fn add(&mut self, process: Process) {
        self.under_way.insert(self.next, process);
        self.next += 1;
    }

    /// Whether there ever was one of this number.
    pub(super) fn had(&self, number: u32) -> bool {
        number < self.next
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Process> {
        self.under_way.get_mut(&number)
    }

    /// The container's.
    pub(super) fn first(&self) -> Option<&Process> {
        self.under_way.get(&0)
    }

    /// Takes out one that will not run.
    pub(super) fn take_unstarted(&mut self, number: u32) -> Option<Process> {
        self.under_way.remove(&number).filter(|process| !process.runs())
    }

    /// Tells the ends of what has ended. True: the container's first process is among it.
    pub(super) fn finish(&mut self) -> Result<bool, ConversationError> {
        let mut over = Vec::new();
        for (&number, process) in &mut self.under_way {
            if let Some(exit) = process.is_over()? {
                over.push((number, exit));
            }
        }
        let first_is_over = over.iter().any(|&(number, _)| number == 0);
        for (number, exit) in over {
            if let Some(process) = self.under_way.remove(&number) {
                process.tell(Ok(exit));
            }
        }
        Ok(first_is_over)
    }

    /// Nobody will hear of them any more.
    pub(super) fn fail(&mut self, failure: &Failure) {
        for process in std::mem::take(&mut self.under_way).into_values() {
            process.tell(Err(failure.clone()));
        }
    }

    /// What to poll for.
    pub(super) fn interests(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.under_way.values().flat_map(Process::interests)
    }
}
