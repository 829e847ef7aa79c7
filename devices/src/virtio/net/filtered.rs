//! The egress filter, between the device and what is really at the other end.

use std::collections::VecDeque;
use std::time::Duration;

use egress_rules::Report;
use vm_memory::VolatileSlice;

use super::backend::{Backend, Refusal, Sent, Waits};
use super::packet::{self, HEADER_LEN};
use crate::egress::{Filter, Verdict};
use crate::limits::ANSWERS;

/// A back end that gets what a filter lets through; without one, everything.
///
/// What the filter answers itself comes before anything else that there is to receive. A guest that takes nothing has so
/// many answers waiting, and gets no others.
pub struct Filtered<B> {
    backend: B,
    filter: Option<Filter>,
    /// Frames.
    answers: VecDeque<Vec<u8>>,
}

impl<B: Backend> Filtered<B> {
    /// `filter` in front of `backend`.
    pub fn new(backend: B, filter: Option<Filter>) -> Self {
        Self { backend, filter, answers: VecDeque::new() }
    }

    /// What the filter dropped, if there is one.
    pub fn report(&self) -> Option<Report> {
        self.filter.as_ref().map(Filter::report)
    }
}

impl<B: Backend> Backend for Filtered<B> {
    fn offloads(&self) -> u64 {
        self.backend.offloads()
    }

    /// A driver that begins has asked for nothing yet.
    fn start(&mut self, offloads: u64) -> Result<(), Refusal> {
        self.answers.clear();
        self.backend.start(offloads)
    }

    /// A filter looks into frames, and what it has seen must be what goes.
    fn reaches_guest_memory(&self) -> bool {
        self.filter.is_none() && self.backend.reaches_guest_memory()
    }

    /// One that would block is judged again when it comes again: it need not be the same any more.
    fn send(&mut self, packet: &mut [u8], rest: &[VolatileSlice<'_>]) -> Result<Sent, Refusal> {
        let Some(filter) = &mut self.filter else { return self.backend.send(packet, rest) };
        let Some((offload, frame)) = packet::offload(packet) else { return Ok(Sent::Dropped) };
        match filter.outgoing(frame, offload, self.backend.now()) {
            Verdict::Pass => self.backend.send(packet, rest),
            Verdict::Drop(_) => Ok(Sent::Dropped),
            Verdict::Answer(answer) => {
                if self.answers.len() < ANSWERS {
                    self.answers.push_back(answer.to_vec());
                }
                Ok(Sent::Dropped)
            }
        }
    }

    fn flush(&mut self) -> Result<(), Refusal> {
        self.backend.flush()
    }

    fn receive(&mut self, packet: &mut [u8], lent: &[VolatileSlice<'_>]) -> Result<usize, Refusal> {
        if let Some(answer) = self.answers.pop_front() {
            let len = HEADER_LEN + answer.len();
            packet[..HEADER_LEN].fill(0);
            packet[HEADER_LEN..len].copy_from_slice(&answer);
            return Ok(len);
        }
        let len = self.backend.receive(packet, lent)?;
        if let Some(filter) = &mut self.filter
            && let Some(frame) = packet.get(HEADER_LEN..len)
        {
            filter.incoming(frame, self.backend.now());
        }
        Ok(len)
    }

    fn has_packets(&self) -> bool {
        !self.answers.is_empty() || self.backend.has_packets()
    }

    fn now(&self) -> Duration {
        self.backend.now()
    }

    fn wait_for(&mut self, waits: Waits) {
        self.backend.wait_for(waits);
    }
}
