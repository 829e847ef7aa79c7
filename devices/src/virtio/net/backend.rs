//! The other end of the link, as the device sees it.

use std::time::Duration;

use vm_memory::VolatileSlice;

/// Why a back end does not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not now: it says when, to whoever waits for it as [`Backend::wait_for`] was told.
    WouldBlock,
    /// Never again: nobody is there any more.
    Gone,
}

/// What became of a packet that the back end was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way, as far as anybody knows.
    Taken,
    /// It will never arrive.
    Dropped,
}

/// What the device waits for at its back end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// Call [`Net::work`](super::Net::work) when there is something to receive, or nobody there any more.
    pub readable: bool,
    /// Call it when something can be sent again.
    pub writable: bool,
    /// Call it at this time of [`Backend::now`].
    pub until: Option<Duration>,
    /// Call [`Net::hung_up`](super::Net::hung_up), and then [`Net::work`](super::Net::work), when nobody is there any more
    /// and that can be told without receiving.
    pub hang_up: bool,
}

/// Takes frames and gives them. The VMM's is a TAP or a socket; a test's is memory. No method may block.
///
/// A packet is a header of [`HEADER_LEN`](super::HEADER_LEN) bytes as of virtio 1.2 §5.1.6, and a frame. The bytes are a
/// copy that the guest does not reach: what was checked is what goes. Frames that nobody checks need not be copied.
pub trait Backend: Send {
    /// Which of the [`OFFLOADS`](super::OFFLOADS) it can do.
    fn offloads(&self) -> u64;

    /// The driver has agreed to these of them: those towards the guest may be used from now on, and no others.
    fn start(&mut self, offloads: u64) -> Result<(), Refusal>;

    /// Whether frames may be given to [`send`](Backend::send) as they lie in the guest's memory, and to
    /// [`receive`](Backend::receive) the place where they are to lie there: nobody looks into them on their way.
    fn reaches_guest_memory(&self) -> bool {
        false
    }

    /// Sends a packet, whole: what was copied of it, the header at least, and behind that what lies in the guest's memory,
    /// and may change there at any time. It may write over the header's place. What it can't send it drops, as networks do; having
    /// taken part of a packet it takes all of it, and sends the rest with the next call of this or of
    /// [`flush`](Backend::flush).
    fn send(&mut self, copied: &mut [u8], rest: &[VolatileSlice<'_>]) -> Result<Sent, Refusal>;

    /// Sends what is left of an earlier packet.
    fn flush(&mut self) -> Result<(), Refusal> {
        Ok(())
    }

    /// Receives a packet; gives its length. Its header comes to the front of `packet`, what follows to `lent`, which is
    /// guest memory, as far as that goes, and the rest to where it is in `packet` when nothing is lent. `packet` alone holds
    /// the longest. One that is longer, or no packet, may have any length, and is dropped.
    fn receive(&mut self, packet: &mut [u8], lent: &[VolatileSlice<'_>]) -> Result<usize, Refusal>;

    /// Whether it has packets to receive that it has not waited for, and does not say so by an event.
    fn has_packets(&self) -> bool {
        false
    }

    /// Time of a clock that does not go back, and goes on while the host sleeps.
    fn now(&self) -> Duration;

    /// What the device waits for from now on, level-triggered; at first nothing.
    fn wait_for(&mut self, waits: Waits);
}
