use std::io::Write;

use super::*;
use crate::virtio::block::{Block, Disk, FileDisk};

const IN: u32 = 0;
const OUT: u32 = 1;

/// A disk of 8 sectors, each full of its number.
fn disk() -> (Block, Work<Block>) {
    let mut file = tempfile::tempfile().unwrap();
    (0..8).for_each(|sector| file.write_all(&[sector; 512]).unwrap());
    let mut disk = FileDisk::new(file).unwrap();
    let block = Block::new(disk.len(), "carried", false);
    let work = move |mmio: &mut Mmio<Block>, queue| {
        let memory = mmio.memory().clone();
        mmio.begin_turn();
        while let Some(job) = mmio.take(|block, queues, mem| block.next(&mut queues[queue], mem)) {
            let done = job.run(&mut disk, &memory);
            mmio.answer(queue, done.token, done.written);
        }
        assert!(!mmio.end_turn());
    };
    (block, Box::new(work))
}

impl Bench<Block> {
    /// Offers a request for a sector, with its data at `DATA_AT` and its header and status behind that.
    fn request(&mut self, kind: u32, sector: u64) {
        let header = [&kind.to_le_bytes()[..], &[0; 4], &sector.to_le_bytes()].concat();
        self.set_data(0x200, &header);
        self.set_data(0x210, &[0xff]);
        let header_at = DATA_AT + 0x200;
        self.offer(
            0,
            &[(header_at, 16, false), (DATA_AT, 512, kind == IN), (header_at + 16, 1, true)],
        );
    }
}

#[test]
fn block() {
    check(
        "block.json",
        include_str!("block.json"),
        disk,
        |bench| {
            for sector in 0..6 {
                bench.request(IN, sector);
                bench.notify(0);
            }
            bench.machine.mmio.config_changed();
            bench.machine.write(DEVICE_FEATURES_SEL, 1);
            bench.request(IN, 7);
        },
        |bench| {
            bench.note_registers();
            bench.note_progress();
            bench.set_data(0, b"written on the other side");
            bench.request(OUT, 3);
            bench.notify(0);
            bench.set_data(0, &[0; 512]);
            bench.request(IN, 3);
            bench.notify(0);
            bench.request(IN, 8);
            bench.notify(0);
            let status = bench.data(0x211)[0x210];
            bench.note("status of a sector past the end", status);
        },
    );
}
