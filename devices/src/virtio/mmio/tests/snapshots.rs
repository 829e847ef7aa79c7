//! Snapshots that one architecture writes and another reads.
//!
//! Beside this module are the states of the virtio devices with their transport and queues, as JSON, and what the devices answered
//! after they were restored from it. Those files were written on x86_64. On whatever architecture this test runs, it checks that
//!
//! - the same steps of a driver lead to the very state that is in the file,
//! - a device built there takes that state, and gives it back unchanged,
//! - and from then on answers as the file says.
//!
//! So a run under aarch64 (`cargo test --target aarch64-unknown-linux-musl`, with QEMU's user emulation as the runner) proves that a
//! device saved on x86_64 can be restored there; and as it saves the same state, the way back is proved too. What that takes of
//! every state: integers of fixed width, guest addresses and never a pointer, nothing that depends on the host's page size.
//!
//! After a change of a state, `BULKHEAD_WRITE_SNAPSHOTS=1 cargo test -p bulkhead-devices snapshots` on x86_64 writes the files anew.

mod block;
mod net;
mod rng;
mod vsock;

use std::path::Path;

use vm_memory::{Bytes, GuestAddress};

use super::*;

/// Memory that no queue uses.
const DATA_AT: u64 = 0xc000;

/// What a file holds.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Snapshot<S> {
    state: S,
    answers: Vec<String>,
}

/// How a device's queue is served.
type Work<D> = Box<dyn FnMut(&mut Mmio<D>, usize)>;

fn immediate<D: ImmediateDevice>(device: D) -> (D, Work<D>) {
    (device, Box::new(|mmio, queue| while mmio.notify(queue) {}))
}

/// A running device, its driver, and what the driver got to know.
struct Bench<D: VirtioDevice> {
    machine: Machine<D>,
    work: Work<D>,
    drivers: Vec<Driver>,
    answers: Vec<String>,
    edges: usize,
}

impl<D: VirtioDevice> Bench<D> {
    fn running((device, work): (D, Work<D>)) -> Self {
        let mut machine = Machine::with(device);
        let features = machine.mmio.offered_features();
        let queues = machine.mmio.queues.len() as u32;
        let drivers = machine.start(features, queues);
        Self { machine, work, drivers, answers: Vec::new(), edges: 0 }
    }

    /// The same guest, with the device that a snapshot makes of this one.
    fn restored(mut self, (device, mut work): (D, Work<D>), state: &MmioState<D::State>) -> Self {
        let (mem, irq, bell) = (self.machine.mem.clone(), Counter::default(), Counter::default());
        let (line, rings) = (Box::new(irq.clone()), Box::new(bell.clone()));
        let mut mmio = Mmio::new(device, mem.clone(), line, rings);
        mmio.pause();
        mmio.restore(state).unwrap();
        assert_eq!(mmio.save(), *state, "restored and saved again");
        mmio.resume();
        (0..self.drivers.len()).for_each(|queue| work(&mut mmio, queue));
        self.machine = Machine { mmio, mem, irq, bell };
        Self { work, answers: Vec::new(), edges: 0, ..self }
    }

    fn note(&mut self, what: &str, value: impl std::fmt::Debug) {
        self.answers.push(format!("{what}: {value:x?}"));
    }

    /// All registers, except that zeros go without saying.
    fn note_registers(&mut self) {
        for offset in (0..CONFIG + 0x40).step_by(4) {
            let value = self.machine.read(offset);
            if value != 0 {
                self.note(&format!("register {offset:x}"), value);
            }
        }
    }

    /// Offers a chain without a notification, and asks for an interrupt when it is used.
    fn offer(&mut self, queue: usize, chain: &[(u64, u32, bool)]) {
        let driver = &mut self.drivers[queue];
        driver.set_used_event(driver.next_avail);
        driver.offer_chain(chain);
    }

    /// Notifies a queue, and notes all that comes of it.
    fn notify(&mut self, queue: u32) {
        (self.work)(&mut self.machine.mmio, queue as usize);
        self.note_progress();
    }

    /// What was used, what it holds, whether an interrupt came, and why; which is acknowledged.
    fn note_progress(&mut self) {
        for index in 0..self.drivers.len() {
            while let Some((head, len)) = self.drivers[index].take_used() {
                self.note(&format!("queue {index} used head and length"), (head, len));
            }
            let event = self.drivers[index].avail_event();
            self.note(&format!("queue {index} asks for a notification at"), event);
        }
        let data: Vec<u8> = self.data(64);
        self.note("data", data);
        let edges = self.machine.irq.count();
        self.note("interrupts", edges - self.edges);
        self.edges = edges;
        let reasons = self.machine.read(INTERRUPT_STATUS);
        self.note("reasons", reasons);
        self.machine.write(INTERRUPT_ACK, reasons);
    }

    fn data(&self, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        self.machine.mem.read_slice(&mut data, GuestAddress(DATA_AT)).unwrap();
        data
    }

    fn set_data(&self, at: u64, data: &[u8]) {
        self.machine.mem.write_slice(data, GuestAddress(DATA_AT + at)).unwrap();
    }
}

/// Brings a device `before` a snapshot, compares that with what `file` holds, and what the device does `after` it.
fn check<D: VirtioDevice>(
    file: &str,
    written: &str,
    device: impl Fn() -> (D, Work<D>),
    before: impl Fn(&mut Bench<D>),
    after: impl Fn(&mut Bench<D>),
) {
    let mut bench = Bench::running(device());
    before(&mut bench);
    bench.machine.mmio.pause();
    let state = bench.machine.mmio.save();
    let writes = std::env::var_os("BULKHEAD_WRITE_SNAPSHOTS").is_some();
    let written = if writes {
        assert_eq!(std::env::consts::ARCH, "x86_64", "where the files are from");
        Snapshot { state: state.clone(), answers: Vec::new() }
    } else {
        serde_json::from_str(written).unwrap()
    };
    assert_eq!(state, written.state, "{file}: the state when it is saved here");
    let mut restored = bench.restored(device(), &written.state);
    after(&mut restored);
    let end = serde_json::to_string(&restored.machine.mmio.save()).unwrap();
    restored.answers.push(format!("state: {end}"));
    let answers = restored.answers;
    if writes {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/virtio/mmio/tests/snapshots");
        let snapshot = serde_json::to_string_pretty(&Snapshot { state, answers }).unwrap();
        std::fs::write(folder.join(file), snapshot + "\n").unwrap();
    } else {
        assert_eq!(answers, written.answers, "{file}: what it answers when it is restored here");
    }
}
