//! Flow control of one connection (virtio 1.2 §5.10.6.3).
//!
//! Each side tells the other, in every packet, how large its receive buffer is (`buf_alloc`) and
//! how many bytes it has taken out of it so far (`fwd_cnt`). What a side may still send is the
//! buffer's size minus what it has sent that was not taken out yet. All counters are free-running
//! and wrap at 2^32.

#[cfg(test)]
mod exhaustive_tests;

use super::packet::Header;

/// The device's receive buffer of each connection, in bytes: `buf_alloc` of all it sends. It is
/// as large as the largest packet Linux sends (`VIRTIO_VSOCK_MAX_PKT_BUF_SIZE`), so that a bulk
/// stream travels in packets of full size.
pub const BUF_ALLOC: u32 = 64 * 1024;

/// The counters of one connection.
#[derive(Debug, Default)]
pub(super) struct Credit {
    /// Bytes received from the guest.
    received: u32,
    /// Of these, bytes the host's stream has taken: our `fwd_cnt`.
    forwarded: u32,
    /// `forwarded` as the guest knows it.
    announced: u32,
    /// Bytes sent to the guest.
    sent: u32,
    /// The guest's `buf_alloc`.
    guest_alloc: u32,
    /// The guest's `fwd_cnt`.
    guest_forwarded: u32,
}

impl Credit {
    /// Takes in what a packet from the guest says of the guest's buffer.
    pub fn update(&mut self, header: &Header) {
        self.guest_alloc = header.buf_alloc.get();
        self.guest_forwarded = header.fwd_cnt.get();
    }

    /// Fills in what a packet to the guest says of our buffer.
    pub fn announce(&mut self, header: &mut Header) {
        header.buf_alloc = BUF_ALLOC.into();
        header.fwd_cnt = self.forwarded.into();
        self.announced = self.forwarded;
    }

    /// Bytes that the guest has room for. A guest that shrinks its buffer, or claims to have
    /// taken bytes that were never sent, gets nothing until its figures make sense.
    pub fn available(&self) -> u32 {
        self.guest_alloc.saturating_sub(self.sent.wrapping_sub(self.guest_forwarded))
    }

    /// Counts bytes sent to the guest.
    pub fn count_sent(&mut self, bytes: u32) {
        self.sent = self.sent.wrapping_add(bytes);
    }

    /// Counts bytes from the guest; false: the guest has sent more than we have room for.
    #[must_use]
    pub fn count_received(&mut self, bytes: u32) -> bool {
        let held = self.received.wrapping_sub(self.forwarded);
        if bytes > BUF_ALLOC - held {
            return false;
        }
        self.received = self.received.wrapping_add(bytes);
        true
    }

    /// Counts bytes that the host's stream has taken.
    pub fn count_forwarded(&mut self, bytes: u32) {
        self.forwarded = self.forwarded.wrapping_add(bytes);
    }

    /// Whether the guest should hear of room that it does not know of. Half a buffer: a guest
    /// that waits for room is told in time, and a stream of small packets is not answered one
    /// by one.
    pub fn worth_announcing(&self) -> bool {
        self.forwarded.wrapping_sub(self.announced) >= BUF_ALLOC / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest_says(buf_alloc: u32, fwd_cnt: u32) -> Header {
        Header { buf_alloc: buf_alloc.into(), fwd_cnt: fwd_cnt.into(), ..Header::default() }
    }

    #[test]
    fn the_guests_room_is_its_buffer_minus_what_is_under_way() {
        let mut credit = Credit::default();
        assert_eq!(credit.available(), 0);
        credit.update(&guest_says(100, 0));
        credit.count_sent(100);
        assert_eq!(credit.available(), 0);
        credit.update(&guest_says(100, 30));
        assert_eq!(credit.available(), 30);
    }

    #[test]
    fn counters_wrap() {
        let mut credit =
            Credit { sent: u32::MAX - 9, guest_forwarded: u32::MAX - 9, ..Credit::default() };
        credit.guest_alloc = 100;
        credit.count_sent(50);
        assert_eq!(credit.available(), 50);
        credit.update(&guest_says(100, 40));
        assert_eq!(credit.available(), 100);
    }

    #[test]
    fn figures_that_make_no_sense_give_no_room() {
        let mut credit = Credit::default();
        credit.update(&guest_says(100, 0));
        credit.count_sent(100);
        credit.update(&guest_says(10, 0));
        assert_eq!(credit.available(), 0);
        credit.update(&guest_says(100, 101));
        assert_eq!(credit.available(), 0);
    }

    #[test]
    fn the_guest_may_fill_the_buffer_and_not_one_byte_more() {
        let mut credit = Credit::default();
        assert!(credit.count_received(BUF_ALLOC));
        assert!(!credit.count_received(1));
        credit.count_forwarded(1);
        assert!(!credit.worth_announcing());
        assert!(credit.count_received(1));
        credit.count_forwarded(BUF_ALLOC / 2);
        assert!(credit.worth_announcing());
        let mut header = Header::default();
        credit.announce(&mut header);
        assert_eq!((header.buf_alloc.get(), header.fwd_cnt.get()), (BUF_ALLOC, BUF_ALLOC / 2 + 1));
        assert!(!credit.worth_announcing());
    }
}
