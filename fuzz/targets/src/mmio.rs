//! The registers of a virtio device, with an entropy device behind them.

use std::io;

use devices::virtio::mmio::Mmio;
use devices::virtio::rng::{Entropy, Rng};
use devices::{Device, GuestMemory, Outcome, Registers};
use vm_memory::{Bytes, GuestAddress};

use crate::driver::{Ring, WRITE, is_reachable, set_up, status};
use crate::input::Input;
use devices::testing::{Counter, memory};

/// The ring, and behind it some bytes for buffers.
const MEMORY: usize = 0x4000;

/// Everything that one notification may take, over and over: the driver has offered no more than a ring of chains.
const PATIENCE: usize = 8;

/// Random bytes that are the same in every run.
struct Dice(u8);

impl Entropy for Dice {
    fn fill(&mut self, buf: &mut [u8]) -> io::Result<()> {
        self.0 = self.0.wrapping_mul(5).wrapping_add(1);
        buf.fill(self.0);
        if self.0.is_multiple_of(7) { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
    }
}

struct Bench {
    mmio: Mmio<Rng>,
    mem: GuestMemory,
    ring: Ring,
    irq: Counter,
    bell: Counter,
}

impl Bench {
    fn new(dice: u8) -> Self {
        let mem = memory(MEMORY);
        let (irq, bell) = <(Counter, Counter)>::default();
        let rng = Rng::new(Box::new(Dice(dice)));
        let mmio = Mmio::new(rng, mem.clone(), Box::new(irq.clone()), Box::new(bell.clone()));
        Self { mmio, ring: Ring::new(&mem, 0, 16), mem, irq, bell }
    }

    /// Takes a step; gives all that the guest can see of it.
    fn take(&mut self, step: &Step) -> (Vec<u8>, usize, usize, u32) {
        let mut answer = Vec::new();
        match step {
            Step::Read(offset, len) => {
                answer = vec![0xaa; *len];
                self.mmio.read(*offset, &mut answer);
            }
            Step::Write(offset, data) => {
                assert_eq!(self.mmio.write(*offset, data), Outcome::Continue);
            }
            Step::Scribble(at, data) => {
                let _ = self.mem.write_slice(data, GuestAddress(*at));
            }
            Step::Notify(queue) => {
                let calls = (0..PATIENCE).take_while(|_| self.mmio.notify(*queue)).count();
                assert!(calls < PATIENCE, "a ring of chains that has no end");
            }
            Step::ConfigChanged => self.mmio.config_changed(),
            Step::SetUp(features) => {
                self.ring = Ring::new(&self.mem, 0, 16);
                let _ = self.mem.write_slice(&[0; Ring::SPACE as usize], GuestAddress(0));
                answer.push(
                    set_up(&mut self.mmio, *features, std::slice::from_ref(&self.ring)).into(),
                );
            }
            Step::Offer(head, addr, len) => {
                self.ring.describe(*head, *addr, *len, WRITE, 0);
                self.ring.offer(*head);
            }
        }
        let status = status(&mut self.mmio);
        assert!(is_reachable(status), "{status:#x} after {step:?}");
        (answer, self.irq.take(), self.bell.take(), status)
    }

    fn memory(&self) -> Vec<u8> {
        let mut bytes = vec![0; MEMORY];
        self.mem.read_slice(&mut bytes, GuestAddress(0)).expect("all of it");
        bytes
    }
}

#[derive(Debug)]
enum Step {
    Read(u64, usize),
    Write(u64, Vec<u8>),
    Scribble(u64, Vec<u8>),
    Notify(usize),
    ConfigChanged,
    SetUp(u32),
    Offer(u16, u64, u32),
}

/// A guest that writes what it likes, and a device that another one takes over from.
pub fn mmio(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut bench = Bench::new(0);
    while let Some(step) = next(&mut input) {
        match step {
            Some(step) => drop(bench.take(&step)),
            None => return compare(bench, input),
        }
    }
}

/// Both the device and one with its saved state give the same answers from here on.
fn compare(mut bench: Bench, mut input: Input) {
    bench.mmio.pause();
    let state = bench.mmio.save();
    let mut twin = Bench::new(0);
    twin.mem.write_slice(&bench.memory(), GuestAddress(0)).expect("as much memory");
    twin.ring = Ring::new(&twin.mem, 0, 16);
    twin.mmio.restore(&state).expect("a device can be in the state that it saved");
    assert_eq!(twin.mmio.save(), state);
    // Their dice differ.
    *bench.mmio.device_mut() = Rng::new(Box::new(Dice(0)));
    for each in [&mut bench, &mut twin] {
        each.mmio.resume();
        each.irq.take();
        each.bell.take();
        // Where it left off is for the driver to remember, who is new as well.
        each.ring = Ring::new(&each.mem, 0, 16);
    }
    while let Some(step) = next(&mut input) {
        if let Some(step) = step {
            assert_eq!(bench.take(&step), twin.take(&step), "{step:?}");
        }
    }
    assert_eq!(bench.mmio.save(), twin.mmio.save());
    assert!(bench.memory() == twin.memory());
}

/// The next step; `Some(None)`: save and restore.
fn next(input: &mut Input) -> Option<Option<Step>> {
    let kind = input.u8()?;
    let len = if kind & 0x40 == 0 { 4 } else { 1 << (kind >> 6) };
    Some(Some(match kind & 15 {
        0..=2 => Step::Read(u64::from(input.u16()? & 0xfff), len),
        3..=5 => Step::Write(u64::from(input.u8()?) * 4, input.bytes(len)?.to_vec()),
        6 => Step::Write(input.number()?, input.bytes(len)?.to_vec()),
        7 => {
            let at = input.u16()?.into();
            let len = usize::from(input.u8()? % 17);
            Step::Scribble(at, input.bytes(len)?.to_vec())
        }
        8 | 9 => Step::Notify(usize::from(input.u8()? % 4)),
        10 => Step::ConfigChanged,
        // Indirect descriptors and the event index, in any combination.
        11 => Step::SetUp(u32::from(input.u8()? & 3) << 28),
        12..=14 => Step::Offer(input.u8()?.into(), input.number()? << 4, input.number()? as u32),
        _ => return Some(None),
    }))
}
