use std::io;

use super::*;
use crate::virtio::rng::{Entropy, Rng};

/// Random bytes that a file can hold.
struct Dice;

impl Entropy for Dice {
    fn fill(&mut self, buf: &mut [u8]) -> io::Result<()> {
        buf.fill(4);
        Ok(())
    }
}

#[test]
fn rng() {
    check(
        "rng.json",
        include_str!("rng.json"),
        || immediate(Rng::new(Box::new(Dice))),
        |bench| {
            // Once round the ring and some more; the last request comes after the device has stopped to look.
            for len in 1..6 {
                bench.offer(0, &[(DATA_AT, len, true)]);
                bench.notify(0);
            }
            bench.offer(0, &[(DATA_AT + 8, 5, true)]);
        },
        |bench| {
            bench.note_registers();
            bench.note_progress();
            bench.offer(0, &[(DATA_AT + 32, 3, true), (DATA_AT + 40, 7, true)]);
            bench.notify(0);
        },
    );
}
