//! Whatever a guest does to the registers: no panic, a status that the handshake allows, and a saved and restored
//! device answers as the one that went on.

use proptest::prelude::*;
use vm_memory::{Bytes, GuestAddress};

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Read {
        offset: u64,
        len: usize,
    },
    Write {
        offset: u64,
        data: Vec<u8>,
    },
    Poke {
        address: u64,
        value: u16,
    },
    Notify(usize),
    ConfigChanged,
    /// The driver's next step, so that the sequences get somewhere.
    Advance,
    SetUpQueue(u32),
    /// A chain of one writable buffer.
    Offer,
}

fn step() -> impl Strategy<Value = Step> {
    let offset = || prop_oneof![4 => (0_u64..0x48).prop_map(|word| 4 * word), 1 => 0_u64..0x1000];
    let len = || prop_oneof![8 => Just(4_usize), 1 => prop::sample::select(vec![1, 2, 8])];
    let value = prop_oneof![4 => 0_u64..16, 1 => any::<u64>()];
    let write = (offset(), len(), value).prop_map(|(offset, len, value)| Step::Write {
        offset,
        data: value.to_le_bytes()[..len].to_vec(),
    });
    // Ring indexes, heads and descriptors of queue 0, or anything.
    let address = prop_oneof![0_u64..0x40, 0x1000_u64..0x1010, 0x2000_u64..0x2010];
    let value = prop_oneof![8 => 0_u16..8, 1 => any::<u16>()];
    let poke = (address, value).prop_map(|(address, value)| Step::Poke { address, value });
    prop_oneof![
        4 => (offset(), len()).prop_map(|(offset, len)| Step::Read { offset, len }),
        4 => write,
        2 => poke,
        2 => (0_usize..3).prop_map(Step::Notify),
        1 => Just(Step::ConfigChanged),
        6 => Just(Step::Advance),
        2 => (0_u32..2).prop_map(Step::SetUpQueue),
        3 => Just(Step::Offer),
    ]
}

impl Machine {
    /// Takes a step; gives all that a guest could see of it.
    fn take(&mut self, step: &Step) -> (Vec<u8>, usize, u32) {
        let mut answer = Vec::new();
        match step {
            Step::Read { offset, len } => {
                answer = vec![0xaa; *len];
                self.mmio.read(*offset, &mut answer);
            }
            Step::Write { offset, data } => {
                self.mmio.write(*offset, data);
            }
            Step::Poke { address, value } => {
                self.mem.write_obj(*value, GuestAddress(*address)).unwrap()
            }
            Step::Notify(queue) => answer.push(self.mmio.notify(*queue).into()),
            Step::ConfigChanged => self.mmio.config_changed(),
            Step::Advance => self.advance(),
            Step::SetUpQueue(index) => {
                self.set_up_queue(*index);
            }
            Step::Offer => {
                let mut driver = Driver::new(&self.mem, 0, 4);
                driver.next_avail = driver.load(driver.avail + 2);
                driver.offer_chain(&[(0x8000, 1, true)]);
            }
        }
        (answer, self.irq.count(), self.read(STATUS))
    }

    fn advance(&mut self) {
        let status = self.read(STATUS);
        match status {
            AGREED => self.write(STATUS, RUNNING),
            _ if status & (NEEDS_RESET | FAILED) != 0 => self.write(STATUS, 0),
            _ => self.negotiate(F_VERSION_1 | F_EVENT_IDX),
        }
    }

    fn memory(&self) -> Vec<u8> {
        let mut bytes = vec![0; 0x10000];
        self.mem.read_slice(&mut bytes, GuestAddress(0)).unwrap();
        bytes
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_sequence_keeps_the_rules(steps in prop::collection::vec(step(), 0..60)) {
        let mut machine = Machine::new();
        for step in &steps {
            let (_, _, status) = machine.take(step);
            prop_assert!(is_reachable(status), "{status:#x} after {step:?}");
        }
    }

    #[test]
    fn saving_and_restoring_changes_no_later_answer(
        before in prop::collection::vec(step(), 0..40),
        after in prop::collection::vec(step(), 0..40),
    ) {
        let mut machine = Machine::new();
        for step in &before {
            machine.take(step);
        }
        machine.mmio.pause();
        let state = machine.mmio.save();
        let state = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        let mut restored = Machine::new();
        restored.mem.write_slice(&machine.memory(), GuestAddress(0)).unwrap();
        restored.mmio.restore(&state).unwrap();
        prop_assert_eq!(restored.mmio.save(), state);

        let interrupts = machine.irq.count();
        machine.mmio.resume();
        restored.mmio.resume();
        for step in &after {
            let (answer, count, status) = machine.take(step);
            prop_assert_eq!((answer, count - interrupts, status), restored.take(step), "{:?}", step);
        }
        prop_assert_eq!(machine.mmio.save(), restored.mmio.save());
        prop_assert!(machine.memory() == restored.memory());
    }
}
