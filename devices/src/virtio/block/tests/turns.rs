//! What one turn of a disk's thread comes to, and who is free meanwhile.

use std::io;
use std::sync::{Arc, Mutex};

use vm_memory::VolatileSlice;

use super::*;
use crate::testing::Counter;
use crate::virtio::mmio::Mmio;
use crate::virtio::queue::driver::{Desc, NEXT, WRITE};
use crate::{Outcome, Registers};

/// The most that a turn may do: budget and last request together.
const MOST: u64 = 64 << 20;
/// virtio 1.2 §4.2.2: registers that the tests use.
const STATUS: u64 = 0x70;
const QUEUE_READY: u64 = 0x44;

/// A request to the disk.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Read(u64),
    Write(u64),
    Flush,
    Discard(u64),
    Zeroes(u64),
}

/// Does nothing, but for what a test wants done meanwhile.
struct Double {
    calls: Arc<Mutex<Vec<Call>>>,
    meanwhile: Box<dyn FnMut() + Send>,
}

impl Double {
    fn call(&mut self, call: Call) -> io::Result<()> {
        self.calls.lock().unwrap().push(call);
        (self.meanwhile)();
        Ok(())
    }
}

impl Disk for Double {
    fn len(&self) -> u64 {
        1 << 40
    }
    fn read_at(&mut self, _offset: u64, buffers: &[VolatileSlice]) -> io::Result<()> {
        self.call(Call::Read(buffers.iter().map(|buffer| buffer.len() as u64).sum()))
    }
    fn write_at(&mut self, _offset: u64, buffers: &[VolatileSlice]) -> io::Result<()> {
        self.call(Call::Write(buffers.iter().map(|buffer| buffer.len() as u64).sum()))
    }
    fn flush(&mut self) -> io::Result<()> {
        self.call(Call::Flush)
    }
    fn discard(&mut self, _offset: u64, len: u64) -> io::Result<()> {
        self.call(Call::Discard(len))
    }
    fn write_zeroes(&mut self, _offset: u64, len: u64, _unmap: bool) -> io::Result<()> {
        self.call(Call::Zeroes(len))
    }
}

/// A block device behind its registers, and a running driver.
struct Bench {
    mmio: Arc<Mutex<Mmio<Block>>>,
    disk: Double,
    calls: Arc<Mutex<Vec<Call>>>,
    driver: Driver,
    mem: GuestMemory,
    irq: Counter,
}

impl Bench {
    fn new() -> Self {
        let (mem, irq) = (memory(0x40000), Counter::default());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let disk = Double { calls: calls.clone(), meanwhile: Box::new(|| {}) };
        let block = Block::new(disk.len(), "", false);
        let bell = Box::new(Counter::default());
        let mmio = Mmio::new(block, mem.clone(), Box::new(irq.clone()), bell);
        let driver = Driver::new(&mem, 0, 256);
        let bench = Self { mmio: Arc::new(Mutex::new(mmio)), disk, calls, driver, mem, irq };
        let features = config::F_FLUSH | config::F_DISCARD | config::F_WRITE_ZEROES;
        for (register, value) in [
            (STATUS, 1),
            (STATUS, 3),
            (0x20, features as u32),
            (0x24, 1),
            (0x20, 1),
            (STATUS, 11),
            (0x38, 256),
            (0x90, bench.driver.avail as u32),
            (0xa0, bench.driver.used as u32),
            (QUEUE_READY, 1),
            (STATUS, 15),
        ] {
            write(&bench.mmio, register, value);
        }
        bench
    }

    /// Describes a request in descriptors from `at` on, with data at `DATA_AT`. Its header and its status have the same
    /// place for each kind.
    fn describe(&self, at: u16, kind: u32, lens: &[u32]) {
        let header_at = HEADER_AT + 32 * u64::from(kind);
        self.mem.write_slice(&[0; 16], GuestAddress(header_at)).unwrap();
        self.mem.write_obj(kind, GuestAddress(header_at)).unwrap();
        let writes = if kind == IN { WRITE } else { 0 };
        let data = lens.iter().map(|&len| (DATA_AT, len, writes));
        let header = (header_at, 16, 0);
        let pieces: Vec<_> =
            [header].into_iter().chain(data).chain([(header_at + 16, 1, WRITE)]).collect();
        for (index, &(addr, len, flags)) in (0..).zip(&pieces) {
            let more = if usize::from(index) + 1 < pieces.len() { NEXT } else { 0 };
            let next = at + index + 1;
            self.driver.describe(at + index, Desc { addr, len, flags: flags | more, next });
        }
    }

    fn turn(&mut self) -> bool {
        turn(&self.mmio, &mut self.disk, &self.mem)
    }

    fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

fn write(mmio: &Mutex<Mmio<Block>>, register: u64, value: u32) {
    let mut mmio = mmio.try_lock().expect("nobody holds the device");
    assert_eq!(mmio.write(register, &value.to_le_bytes()), Outcome::Continue);
}

fn read(mmio: &Mutex<Mmio<Block>>, register: u64) -> u32 {
    let mut data = [0; 4];
    mmio.try_lock().expect("nobody holds the device").read(register, &mut data);
    u32::from_le_bytes(data)
}

/// A turn's share is counted in what requests do. 256 of them fit into the queue, 16 bytes of data each.
#[test]
fn a_turn_does_so_much_and_no_more() {
    let sectors = 32 << 11;
    for (kind, call) in [
        (WRITE_ZEROES, Call::Zeroes(32 << 20)),
        (DISCARD, Call::Discard(32 << 20)),
        (FLUSH, Call::Flush),
    ] {
        let mut bench = Bench::new();
        bench.mem.write_slice(&[0; 16], GuestAddress(DATA_AT)).unwrap();
        bench.mem.write_obj(sectors, GuestAddress(DATA_AT + 8)).unwrap();
        bench.describe(0, kind, if kind == FLUSH { &[] } else { &[16] });
        (0..256).for_each(|_| bench.driver.offer(0));
        let mut done = 0;
        while done < 256 {
            let more = bench.turn();
            let calls = bench.calls();
            assert!(!calls.is_empty() && calls.iter().all(|made| *made == call), "{calls:?}");
            let cost = match call {
                Call::Flush => 1 << 20,
                _ => 32 << 20,
            };
            assert!(calls.len() as u64 * cost <= MOST, "{} times {call:?}", calls.len());
            done += calls.len();
            // At the latest now the driver knows.
            assert_eq!(bench.irq.count() > 0, more || done == 256);
            for _ in calls {
                assert_eq!(bench.driver.take_used(), Some((0, 1)));
            }
        }
        assert_eq!(bench.driver.take_used(), None);
    }
}

#[test]
fn a_request_larger_than_any_that_keeps_to_the_limits_is_refused() {
    let mut bench = Bench::new();
    // 254 pieces that name the same 128 KiB, and one byte more.
    for (kind, extra, calls) in [
        (IN, 0, vec![Call::Read(config::MAX_DATA)]),
        (OUT, 0, vec![Call::Write(config::MAX_DATA)]),
        (IN, 512, vec![]),
        (OUT, 512, vec![]),
    ] {
        let mut lens = [128 << 10; 254];
        lens[0] += extra;
        bench.describe(0, kind, &lens);
        bench.driver.offer(0);
        while bench.turn() {}
        assert_eq!(bench.calls(), calls);
        let status_at = GuestAddress(HEADER_AT + 32 * u64::from(kind) + 16);
        let status: u8 = bench.mem.read_obj(status_at).unwrap();
        assert_eq!(status, if calls.is_empty() { IOERR } else { OK });
        assert!(bench.driver.take_used().is_some());
    }
}

#[test]
fn a_flush_comes_after_the_writes_before_it() {
    let mut bench = Bench::new();
    bench.describe(0, OUT, &[512]);
    bench.describe(3, FLUSH, &[]);
    let order = [0, 0, 3, 0, 3];
    order.into_iter().for_each(|head| bench.driver.offer(head));
    // The used index at each call: all before it was answered.
    let (used, seen) = (bench.driver.used + 2, Arc::new(Mutex::new(Vec::new())));
    let (mem, indexes) = (bench.mem.clone(), seen.clone());
    bench.disk.meanwhile = Box::new(move || {
        indexes.lock().unwrap().push(mem.read_obj::<u16>(GuestAddress(used)).unwrap());
    });
    assert!(!bench.turn());
    let expected = order.map(|head| if head == 0 { Call::Write(512) } else { Call::Flush });
    assert_eq!(bench.calls(), expected);
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(bench.irq.count(), 1, "one interrupt for all of them");
}

/// The lock is free while the disk works (`try_lock` in `read` and `write`), for a reset too.
#[test]
fn a_reset_waits_for_the_chain_under_way_and_uses_none() {
    let mut bench = Bench::new();
    bench.describe(0, IN, &[512]);
    (0..3).for_each(|_| bench.driver.offer(0));
    let (mmio, seen) = (bench.mmio.clone(), Arc::new(Mutex::new(Vec::new())));
    let status = seen.clone();
    bench.disk.meanwhile = Box::new(move || {
        write(&mmio, STATUS, 0);
        // A driver that does not wait gets nowhere.
        write(&mmio, STATUS, 1);
        write(&mmio, STATUS, 0x41);
        status.lock().unwrap().push((read(&mmio, STATUS), read(&mmio, QUEUE_READY)));
    });
    assert!(!bench.turn());
    assert_eq!(*seen.lock().unwrap(), [(0x40, 1)], "NEEDS_RESET, and not stopped");
    assert_eq!((read(&bench.mmio, STATUS), read(&bench.mmio, QUEUE_READY)), (0, 0));
    assert_eq!((bench.driver.take_used(), bench.irq.count()), (None, 0));
    assert!(!bench.turn(), "nothing is left");
    write(&bench.mmio, STATUS, 1);
    assert_eq!(read(&bench.mmio, STATUS), 1);
}
