//! The requests one by one; the properties are in the modules below.

mod model;
mod stitching;
mod turns;

use std::fs::File;
use std::io::Write;

use vm_memory::{Bytes, GuestAddress};

use super::*;
use crate::testing::memory;
use crate::virtio::queue::driver::Driver;

const IN: u32 = 0;
const OUT: u32 = 1;
const FLUSH: u32 = 4;
const GET_ID: u32 = 8;
const DISCARD: u32 = 11;
const WRITE_ZEROES: u32 = 13;

const OK: u8 = 0;
const IOERR: u8 = 1;
const UNSUPP: u8 = 2;

/// Where the header, the status and the data of requests stand in guest memory.
const HEADER_AT: u64 = 0x4000;
const STATUS_AT: u64 = 0x4100;
const DATA_AT: u64 = 0x8000;

fn file(contents: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(contents).unwrap();
    file
}

/// A block device with a driver on its queue.
struct Machine {
    block: Block,
    disk: Box<dyn Disk>,
    queue: [Queue; 1],
    driver: Driver,
    mem: GuestMemory,
}

impl Machine {
    fn new(disk: impl Disk + 'static, read_only: bool) -> Self {
        let mem = memory(0x40000);
        let driver = Driver::new(&mem, 0, 256);
        let mut block = Block::new(disk.len(), "disk0", read_only);
        block.activate(block.features(), &[]);
        Self { block, disk: Box::new(disk), queue: [driver.device()], driver, mem }
    }

    /// Does all there is to do.
    fn work(&mut self) -> Result<(), QueueError> {
        while let Some(job) = self.block.next(&mut self.queue[0], &self.mem)? {
            let Done { token, written } = job.run(&mut *self.disk, &self.mem);
            self.queue[0].push_deferred(&self.mem, token, written?)?;
        }
        Ok(())
    }

    fn of_file(contents: &[u8]) -> Self {
        Self::new(FileDisk::new(file(contents)).unwrap(), false)
    }

    /// Sends a request with `lens` pieces of data at `DATA_AT`. Gives the status and the used length.
    fn send(&mut self, kind: u32, sector: u64, lens: &[u32], to_guest: bool) -> (u8, u32) {
        let mut header = [kind.to_le_bytes(), [0; 4]].concat();
        header.extend(sector.to_le_bytes());
        self.mem.write_slice(&header, GuestAddress(HEADER_AT)).unwrap();
        self.mem.write_slice(&[0xff], GuestAddress(STATUS_AT)).unwrap();
        let mut buffers = vec![(HEADER_AT, 16, false)];
        let mut at = DATA_AT;
        for &len in lens {
            buffers.push((at, len, to_guest));
            at += u64::from(len);
        }
        buffers.push((STATUS_AT, 1, true));
        self.driver.offer_chain(&buffers);
        self.work().unwrap();
        let (head, used) = self.driver.take_used().expect("the chain comes back");
        assert_eq!((head, self.driver.take_used()), (0, None));
        (self.mem.read_obj(GuestAddress(STATUS_AT)).unwrap(), used)
    }

    fn data(&self, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        self.mem.read_slice(&mut data, GuestAddress(DATA_AT)).unwrap();
        data
    }

    fn set_data(&self, data: &[u8]) {
        self.mem.write_slice(data, GuestAddress(DATA_AT)).unwrap();
    }

    /// Sends a discard or write-zeroes of (sector, sectors, flags).
    fn send_ranges(&mut self, kind: u32, ranges: &[(u64, u32, u32)]) -> u8 {
        let bytes = ranges.iter().flat_map(|&(sector, sectors, flags)| {
            let [n, f] = [sectors, flags].map(u32::to_le_bytes);
            [&sector.to_le_bytes()[..], &n, &f].concat()
        });
        self.set_data(&bytes.collect::<Vec<_>>());
        let (status, used) = self.send(kind, 0, &[16 * ranges.len() as u32], false);
        assert_eq!(used, 1);
        status
    }
}

#[test]
fn what_is_written_can_be_read() {
    let mut machine = Machine::of_file(&[7; 2048]);
    machine.set_data(&[1; 1024]);
    assert_eq!(machine.send(OUT, 1, &[512, 500, 12], false), (OK, 1));
    assert_eq!(machine.send(IN, 0, &[1, 2047], true), (OK, 2049));
    assert_eq!(machine.data(2048), [[7; 512], [1; 512], [1; 512], [7; 512]].concat());
    assert_eq!(machine.send(FLUSH, 0, &[], false), (OK, 1));
}

#[test]
fn ranges_outside_the_disk_are_errors() {
    // The last 100 bytes fill no sector.
    let mut machine = Machine::of_file(&[7; 2148]);
    for (sector, len) in [(4, 512), (3, 1024), (u64::MAX, 512), (u64::MAX / 512 + 1, 512), (0, 100)]
    {
        machine.set_data(&[1; 1024]);
        assert_eq!(machine.send(IN, sector, &[len], true), (IOERR, 0), "{sector} {len}");
        assert_eq!(machine.send(OUT, sector, &[len], false), (IOERR, 1), "{sector} {len}");
        assert_eq!(machine.data(1024), [1; 1024]);
    }
    assert_eq!(machine.send(IN, 0, &[2048], true), (OK, 2049));
    assert_eq!(machine.data(2048), [7; 2048]);
    assert_eq!(machine.send(IN, 4, &[], true), (OK, 1));
}

#[test]
fn the_name_is_twenty_bytes() {
    let mut machine = Machine::of_file(&[]);
    assert_eq!(machine.send(GET_ID, 0, &[20], true), (OK, 21));
    assert_eq!(machine.data(20), [&b"disk0"[..], &[0; 15]].concat());
    assert_eq!(machine.send(GET_ID, 0, &[19], true), (IOERR, 0));
    assert_eq!(machine.send(GET_ID, 0, &[24], true), (OK, 20), "a gap before the status");
    machine.block = Block::new(0, &"x".repeat(30), false);
    assert_eq!(machine.send(GET_ID, 0, &[20], true), (OK, 21));
    assert_eq!(machine.data(20), [b'x'; 20]);
}

#[test]
fn ranges_are_zeroed_and_discarded() {
    let mut machine = Machine::of_file(&[7; 8 * 512]);
    assert_eq!(machine.send_ranges(WRITE_ZEROES, &[(1, 1, 0)]), OK);
    assert_eq!(machine.send_ranges(WRITE_ZEROES, &[(3, 1, 1)]), OK);
    assert_eq!(machine.send(IN, 0, &[2048], true), (OK, 2049));
    assert_eq!(machine.data(2048), [[7; 512], [0; 512], [7; 512], [0; 512]].concat());
    assert_eq!(machine.send_ranges(DISCARD, &[(6, 2, 0)]), OK);
    assert_eq!(machine.send_ranges(DISCARD, &[(0, 0, 0)]), OK);
    assert_eq!(machine.send_ranges(DISCARD, &[(7, 2, 0)]), IOERR);
    assert_eq!(machine.send_ranges(DISCARD, &[(0, 1, 1)]), UNSUPP, "unmap flag");
    assert_eq!(machine.send_ranges(DISCARD, &[(0, 1, 0), (0, 1, 0)]), IOERR, "too many");
    assert_eq!(machine.send_ranges(WRITE_ZEROES, &[(0, 1, 2)]), UNSUPP, "unknown flag");
    assert_eq!(machine.send_ranges(WRITE_ZEROES, &[(0, 1, 0), (0, 1, 0)]), IOERR, "too many");
    assert_eq!(machine.send_ranges(DISCARD, &[(u64::MAX, u32::MAX, 0)]), IOERR);
    assert_eq!(machine.send_ranges(DISCARD, &[]), IOERR);
    assert_eq!(machine.send(DISCARD, 0, &[17], false), (IOERR, 1));
    assert_eq!(machine.send(IN, 0, &[512], true), (OK, 513));
    assert_eq!(machine.data(512), [7; 512]);
}

#[test]
fn zeroes_are_written_where_the_file_system_knows_no_way() {
    // A tmpfs: it has holes, but no zero ranges.
    let file = tempfile::tempfile_in("/dev/shm").unwrap();
    file.set_len(512 * 512).unwrap();
    let mut machine = Machine::new(FileDisk::new(file).unwrap(), false);
    machine.set_data(&[7; 300 * 512]);
    assert_eq!(machine.send(OUT, 0, &[300 * 512], false), (OK, 1));
    assert_eq!(machine.send_ranges(WRITE_ZEROES, &[(1, 298, 0)]), OK);
    assert_eq!(machine.send(IN, 0, &[300 * 512], true), (OK, 300 * 512 + 1));
    assert_eq!(machine.data(300 * 512), [&[7; 512][..], &[0; 298 * 512], &[7; 512]].concat());
}

#[test]
fn a_read_only_disk_is_not_written() {
    let mut machine = Machine::new(FileDisk::new(file(&[7; 1024])).unwrap(), true);
    assert_eq!(machine.block.features() & (config::F_RO | config::F_DISCARD), config::F_RO);
    assert_eq!(machine.send(OUT, 0, &[512], false), (IOERR, 1));
    assert_eq!(machine.send_ranges(DISCARD, &[(0, 1, 0)]), UNSUPP);
    assert_eq!(machine.send_ranges(WRITE_ZEROES, &[(0, 1, 0)]), UNSUPP);
    assert_eq!(machine.send(FLUSH, 0, &[], false), (OK, 1));
    assert_eq!(machine.send(IN, 0, &[512], true), (OK, 513));
    assert_eq!(machine.data(512), [7; 512]);
}

#[test]
fn what_is_not_known_or_not_agreed_is_unsupported() {
    let mut machine = Machine::of_file(&[7; 1024]);
    assert_eq!(machine.send(99, 0, &[512], true), (UNSUPP, 0));
    machine.block.activate(0, &[]);
    assert_eq!(machine.send_ranges(DISCARD, &[(0, 1, 0)]), UNSUPP);
    assert_eq!(machine.send(OUT, 0, &[512], false), (OK, 1), "and flushed");
}

#[test]
fn a_disk_that_fails_is_an_error_of_the_request() {
    let file = file(&[7; 1024]);
    let mut machine = Machine::new(FileDisk::new(file.try_clone().unwrap()).unwrap(), false);
    file.set_len(100).unwrap();
    assert_eq!(machine.send(IN, 0, &[512], true), (IOERR, 0));
    let read_only = File::open("/proc/self/exe").unwrap();
    let mut machine = Machine::new(FileDisk::new(read_only).unwrap(), false);
    assert_eq!(machine.send(OUT, 0, &[512], false), (IOERR, 1));
    assert_eq!(machine.send_ranges(DISCARD, &[(0, 1, 0)]), IOERR);
    assert_eq!(machine.send_ranges(WRITE_ZEROES, &[(0, 1, 1)]), IOERR);
}

#[test]
fn a_chain_without_header_or_status_breaks_the_rules() {
    let mut machine = Machine::of_file(&[7; 1024]);
    for chain in [
        &[(HEADER_AT, 15, false), (STATUS_AT, 1, true)][..],
        &[(HEADER_AT, 16, false)],
        &[(STATUS_AT, 1, true)],
        &[(STATUS_AT, 0, true)],
    ] {
        machine.driver.offer_chain(chain);
        let error = machine.work().unwrap_err();
        assert!(matches!(error, QueueError::Layout { head: 0, .. }));
    }
}

#[test]
fn header_and_data_may_share_a_buffer() {
    let mut machine = Machine::of_file(&[7; 1024]);
    let header = [OUT.to_le_bytes(), [0; 4], [1, 0, 0, 0], [0; 4]].concat();
    machine.set_data(&[header, vec![3; 512]].concat());
    machine.driver.offer_chain(&[(DATA_AT, 528, false), (STATUS_AT, 1, true)]);
    machine.work().unwrap();
    assert_eq!(machine.driver.take_used(), Some((0, 1)));
    assert_eq!(machine.send(IN, 1, &[512], true), (OK, 513));
    assert_eq!(machine.data(512), [3; 512]);
}

#[test]
fn the_configuration_says_what_a_request_may_be() {
    let read = |offset| {
        let mut data = [0; 4];
        Block::new(1100, "", false).read_config(offset, &mut data);
        u32::from_le_bytes(data)
    };
    let (capacity, size_max, seg_max, blk_size) = (read(0), read(8), read(12), read(20));
    assert_eq!((capacity, size_max, seg_max, blk_size), (2, 128 << 10, 254, 512));
    assert_eq!([36, 40, 48, 52].map(read), [1 << 16, 1, 1 << 16, 1]);
}

#[test]
fn a_disk_of_another_length_takes_no_state() {
    let saved = Block::new(1024, "", false).save();
    let error = Block::new(4096, "", false).restore(&saved).unwrap_err();
    assert_eq!(error.to_string(), "saved state of virtio-blk: sectors is 2, but must be 8");
}
