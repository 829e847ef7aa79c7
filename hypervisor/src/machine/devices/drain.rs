//! The last words of a guest that has switched itself off.

use std::io;
use std::time::{Duration, Instant};

use super::Devices;
use crate::event::{Poll, Source};

impl Devices {
    /// Hands on what the guest sent to programs on the host before it ended, while they take it: as with a pipe, a
    /// signal cuts that short, and so does the end of `patience`. `poll` has the signals, and nothing of the devices.
    pub fn drain(&mut self, poll: &mut Poll, patience: Duration) -> io::Result<()> {
        if self.drained() {
            return Ok(());
        }
        self.wait_for_host(poll)?;
        let begun = Instant::now();
        let mut ready = Vec::new();
        while !self.drained() {
            let Some(left) = patience.checked_sub(begun.elapsed()).filter(|left| !left.is_zero())
            else {
                log::warn!(
                    "vsock: nobody has read all that the guest sent, for {} s: the rest is lost",
                    patience.as_secs()
                );
                return Ok(());
            };
            poll.wait(&mut ready, Some(left))?;
            for source in &ready {
                match *source {
                    Source::Device(device) => self.ready(device)?,
                    _ => return Ok(()),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, BorrowedFd};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::Attached;
    use super::*;
    use crate::event::Wake;

    const NEVER: Duration = Duration::from_secs(600);

    /// A device whose guest has sent so many pieces, of which the host takes one whenever it is ready.
    struct Sender {
        pieces: Arc<AtomicU32>,
        host: Wake,
    }

    impl Attached for Sender {
        fn descriptor(&self) -> Option<BorrowedFd<'_>> {
            Some(self.host.as_fd())
        }

        fn ready(&mut self) -> io::Result<()> {
            self.pieces.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }

        fn drained(&mut self) -> bool {
            self.pieces.load(Ordering::SeqCst) == 0
        }

        fn pause(&mut self) {}
    }

    fn sender() -> (Devices, Arc<AtomicU32>, Wake) {
        let (pieces, host) = (Arc::new(AtomicU32::new(3)), Wake::new().unwrap());
        let sender = Sender { pieces: pieces.clone(), host: host.clone() };
        (Devices(vec![Box::new(sender)]), pieces, host)
    }

    #[test]
    fn all_is_handed_on_to_a_host_that_takes_it() {
        let (mut devices, pieces, host) = sender();
        host.wake();
        devices.drain(&mut Poll::new().unwrap(), NEVER).unwrap();
        assert_eq!(pieces.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_host_that_takes_nothing_is_waited_for_no_longer_than_patience_lasts() {
        let (mut devices, pieces, _host) = sender();
        devices.drain(&mut Poll::new().unwrap(), Duration::from_millis(10)).unwrap();
        assert_eq!(pieces.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn patience_ends_for_a_host_that_is_always_ready_too() {
        let (mut devices, pieces, host) = sender();
        pieces.store(u32::MAX, Ordering::SeqCst);
        host.wake();
        devices.drain(&mut Poll::new().unwrap(), Duration::from_millis(10)).unwrap();
        assert!(pieces.load(Ordering::SeqCst) > 0);
    }

    #[test]
    fn a_signal_cuts_it_short() {
        let (mut devices, pieces, _host) = sender();
        let (mut poll, signal) = (Poll::new().unwrap(), Wake::new().unwrap());
        poll.add(&signal, Source::Signal).unwrap();
        signal.wake();
        devices.drain(&mut poll, NEVER).unwrap();
        assert_eq!(pieces.load(Ordering::SeqCst), 3);
    }
}
