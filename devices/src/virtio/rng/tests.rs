use vm_memory::{Bytes, GuestAddress};

use super::*;
use crate::testing::memory;
use crate::virtio::queue::driver::Driver;

/// Counts up, so that every byte can be told.
struct Counting(u8, Option<io::ErrorKind>);

impl Entropy for Counting {
    fn fill(&mut self, buf: &mut [u8]) -> io::Result<()> {
        for byte in buf {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
        self.1.map_or(Ok(()), |kind| Err(kind.into()))
    }
}

/// Offers one chain; gives what the device made of it.
fn ask(
    rng: &mut Rng,
    chain: &[(u64, u32, bool)],
) -> (Result<(), QueueError>, Option<u32>, [u8; 4]) {
    let mem = memory(0x10000);
    let mut driver = Driver::new(&mem, 0, 4);
    driver.offer_chain(chain);
    let result = rng.process(0, &mut [driver.device()], &mem);
    let bytes = mem.read_obj(GuestAddress(0x8000)).unwrap();
    (result, driver.take_used().map(|(_, len)| len), bytes)
}

#[test]
fn buffers_are_filled_in_order_and_only_so_far() {
    let mut rng = Rng::new(Box::new(Counting(0, None)));
    let (result, used, bytes) = ask(&mut rng, &[(0x8002, 1, true), (0x8000, 2, true)]);
    assert!(result.is_ok());
    assert_eq!((used, bytes), (Some(3), [2, 3, 1, 0]));
    let (result, used, _) = ask(&mut rng, &[(0x8000, 0x8000, true)]);
    assert!(result.is_ok());
    assert_eq!(used, Some(MAX_FILL as u32));
}

#[test]
fn a_source_that_fails_gives_nothing() {
    let mut rng = Rng::new(Box::new(Counting(0, Some(io::ErrorKind::Other))));
    let (result, used, bytes) = ask(&mut rng, &[(0x8000, 4, true)]);
    assert!(result.is_ok());
    assert_eq!((used, bytes), (Some(0), [0; 4]));
}

#[test]
fn only_writable_bytes_make_a_request() {
    for chain in
        [&[(0x8000, 4, false)][..], &[(0x8000, 4, false), (0x8004, 4, true)], &[(0, 0, true)]]
    {
        let (result, used, _) = ask(&mut Rng::new(Box::new(Counting(0, None))), chain);
        assert!(matches!(result, Err(QueueError::Layout { .. })));
        assert_eq!(used, None);
    }
}
