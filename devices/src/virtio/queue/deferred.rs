//! Chains that are given back later. While a slow disk works for one, the queue is free: for its driver's registers,
//! for the next chain, for a reset.

use super::{Chain, Queue, QueueError};
use crate::GuestMemory;

/// Stands for one chain that was popped and is to be given back, once.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a reset waits for every chain that is under way"]
pub struct Token {
    head: u16,
    epoch: u32,
}

/// The chains that were popped and not given back yet.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    chains: usize,
    /// Changes whenever those that are under way are no longer waited for by the driver.
    epoch: u32,
}

impl UnderWay {
    pub(super) fn abandon(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
    }
}

impl Queue {
    /// As [`pop`](Queue::pop), for a chain that is given back by its token.
    pub fn pop_deferred(
        &mut self,
        mem: &GuestMemory,
    ) -> Result<Option<(Chain, Token)>, QueueError> {
        let Some(chain) = self.pop(mem)? else { return Ok(None) };
        self.under_way.chains += 1;
        let token = Token { head: chain.head, epoch: self.under_way.epoch };
        Ok(Some((chain, token)))
    }

    /// As [`push`](Queue::push). If the driver has reset or stopped the queue since, or the chain was
    /// [abandoned](Queue::abandon), nothing is written to guest memory.
    pub fn push_deferred(
        &mut self,
        mem: &GuestMemory,
        token: Token,
        written: u32,
    ) -> Result<(), QueueError> {
        let Token { head, epoch } = token;
        let is_awaited = self.state.ready && epoch == self.under_way.epoch;
        self.drop_deferred(Token { head, epoch });
        if is_awaited { self.push(mem, head, written) } else { Ok(()) }
    }

    /// Takes back a token whose chain the driver gets no more: it broke the rules.
    pub fn drop_deferred(&mut self, _token: Token) {
        // A queue that was restored knows nothing of the tokens of the one before.
        self.under_way.chains = self.under_way.chains.saturating_sub(1);
    }

    /// Whether there are chains whose token has not come back.
    pub fn is_under_way(&self) -> bool {
        self.under_way.chains != 0
    }

    /// No chain that is under way is given to the driver any more; the tokens still have to come back.
    pub fn abandon(&mut self) {
        self.under_way.abandon();
    }
}
