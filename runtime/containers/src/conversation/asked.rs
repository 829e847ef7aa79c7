//! Questions that the guest answers in the order in which they came.

use std::collections::VecDeque;

use protocol::{Statistics, ToHost};

use super::ConversationError;
use super::answer::{Reply, tell};
use super::error::{escaped, out_of_order};
use super::request::Failure;
use crate::limits;

/// One of them, and who waits for the answer.
pub(super) enum Question {
    Freeze(Reply<()>),
    Thaw(Reply<()>),
    Statistics(Reply<Statistics>),
}

/// Those that are not answered yet.
#[derive(Default)]
pub(super) struct Asked(VecDeque<Question>);

impl Asked {
    /// One more, which is to be asked next; unless there are too many: then it is answered so, and `None`.
    pub(super) fn push(&mut self, question: Question) -> Option<()> {
        let most = limits::QUESTIONS;
        if self.0.len() >= most {
            question.fail(ConversationError::Silent(most).into());
            return None;
        }
        self.0.push_back(question);
        Some(())
    }

    /// Tells an answer to who waits for it.
    pub(super) fn answer(&mut self, message: ToHost) -> Result<(), ConversationError> {
        let unexpected = out_of_order(&message);
        match (self.0.pop_front(), message) {
            (Some(Question::Freeze(reply)), ToHost::Frozen)
            | (Some(Question::Thaw(reply)), ToHost::Thawed) => tell(reply, Ok(())),
            (Some(Question::Statistics(reply)), ToHost::Statistics(statistics)) => {
                tell(reply, Ok(*statistics));
            }
            (Some(question), ToHost::Failed { message }) => {
                question.fail(ConversationError::Refused(escaped(&message)).into());
            }
            _ => return Err(unexpected),
        }
        Ok(())
    }

    /// None of them will be answered.
    pub(super) fn fail(&mut self, failure: &Failure) {
        self.0.drain(..).for_each(|question| question.fail(failure.clone()));
    }
}

impl Question {
    fn fail(self, failure: Failure) {
        match self {
            Self::Freeze(reply) | Self::Thaw(reply) => tell(reply, Err(failure)),
            Self::Statistics(reply) => tell(reply, Err(failure)),
        }
    }
}
