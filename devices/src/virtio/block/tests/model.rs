//! Random requests against a plain array of bytes, and hostile chains.

use proptest::prelude::*;

use super::*;
use crate::virtio::queue::driver::Desc;

const SECTORS: usize = 64;

#[derive(Clone, Debug)]
enum Op {
    Read {
        sector: u64,
        lens: Vec<u32>,
    },
    Write {
        sector: u64,
        lens: Vec<u32>,
        byte: u8,
    },
    Discard((u64, u32, u32)),
    WriteZeroes((u64, u32, u32)),
    Flush,
    /// Goes on with a device restored from the saved state of the one before.
    Restore,
}

/// Pieces that often add up to whole sectors.
fn lens() -> impl Strategy<Value = Vec<u32>> {
    let cut = |total: u32, at: u32| vec![at.min(total), total - at.min(total)];
    let sectors = (0_u32..9).prop_map(|sectors| 512 * sectors);
    let whole = (sectors, 0_u32..4096).prop_map(move |(total, at)| cut(total, at));
    prop_oneof![4 => whole, 1 => prop::collection::vec(0_u32..600, 0..4)]
}

fn op() -> impl Strategy<Value = Op> {
    let sector = || prop_oneof![16 => 0..SECTORS as u64 + 2, 1 => any::<u64>()];
    let range = || (sector(), 0_u32..10, prop_oneof![8 => Just(0_u32), 1 => 0_u32..3]);
    prop_oneof![
        3 => (sector(), lens()).prop_map(|(sector, lens)| Op::Read { sector, lens }),
        4 => (sector(), lens(), 1_u8..)
            .prop_map(|(sector, lens, byte)| Op::Write { sector, lens, byte }),
        1 => range().prop_map(Op::Discard),
        2 => range().prop_map(Op::WriteZeroes),
        1 => Just(Op::Flush),
        1 => Just(Op::Restore),
    ]
}

/// What the disk must hold. `None`: anything, after a discard.
struct Model(Vec<Option<u8>>);

impl Model {
    /// The bytes of a request, if it is allowed.
    fn bytes(&mut self, sector: u64, len: usize) -> Option<&mut [Option<u8>]> {
        let start = usize::try_from(sector).ok()?.checked_mul(512)?;
        let bytes = self.0.get_mut(start..start.checked_add(len)?)?;
        len.is_multiple_of(512).then_some(bytes)
    }

    /// Fills a range, or says why not.
    fn fill(&mut self, range: (u64, u32, u32), flags: u32, value: Option<u8>) -> u8 {
        let (sector, sectors, with) = range;
        if sectors == 0 {
            return OK;
        }
        if with & !flags != 0 {
            return UNSUPP;
        }
        match self.bytes(sector, 512 * sectors as usize) {
            Some(bytes) => {
                bytes.fill(value);
                OK
            }
            None => IOERR,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_disk_is_an_array_of_bytes(ops in prop::collection::vec(op(), 1..40)) {
        let contents: Vec<u8> = (0..512 * SECTORS).map(|index| (index / 100) as u8).collect();
        let file = file(&contents);
        let mut machine = Machine::new(FileDisk::new(file).unwrap(), false);
        let mut model = Model(contents.into_iter().map(Some).collect());
        for op in ops {
            match op {
                Op::Read { sector, lens } => {
                    let len = lens.iter().sum::<u32>();
                    let answer = machine.send(IN, sector, &lens, true);
                    match model.bytes(sector, len as usize) {
                        Some(expected) => {
                            prop_assert_eq!(answer, (OK, len + 1));
                            let data = machine.data(len as usize);
                            let alike = |(data, want): (&u8, &mut Option<u8>)| want.is_none_or(|want| want == *data);
                            prop_assert!(data.iter().zip(expected).all(alike));
                        }
                        None => prop_assert_eq!(answer, (IOERR, u32::from(len == 0))),
                    }
                }
                Op::Write { sector, lens, byte } => {
                    let len = lens.iter().sum::<u32>() as usize;
                    machine.set_data(&vec![byte; len]);
                    let (status, used) = machine.send(OUT, sector, &lens, false);
                    prop_assert_eq!(used, 1);
                    match model.bytes(sector, len) {
                        Some(bytes) => {
                            prop_assert_eq!(status, OK);
                            bytes.fill(Some(byte));
                        }
                        None => prop_assert_eq!(status, IOERR),
                    }
                }
                Op::Discard(range) => {
                    let expected = model.fill(range, 0, None);
                    prop_assert_eq!(machine.send_ranges(DISCARD, &[range]), expected);
                }
                Op::WriteZeroes(range) => {
                    let expected = model.fill(range, RANGE_UNMAP, Some(0));
                    prop_assert_eq!(machine.send_ranges(WRITE_ZEROES, &[range]), expected);
                }
                Op::Flush => prop_assert_eq!(machine.send(FLUSH, 0, &[], false), (OK, 1)),
                Op::Restore => {
                    machine.block.pause();
                    let state = serde_json::to_string(&machine.block.save()).unwrap();
                    let queue = machine.queue[0].state().clone();
                    machine.block = Block::new(machine.disk.len(), "disk0", false);
                    machine.block.restore(&serde_json::from_str(&state).unwrap()).unwrap();
                    machine.queue = [Queue::from_state(queue, &machine.mem).unwrap()];
                }
            }
        }
    }

    /// Chains of any shape over any memory: an answer or an error, and the disk keeps its length.
    #[test]
    fn hostile_chains(
        words in prop::collection::vec(prop_oneof![4 => 0_u32..16, 1 => any::<u32>()], 0x400),
        descs in prop::collection::vec(
            (
                prop_oneof![8 => 0x4000_u64..0x5000, 1 => any::<u64>()],
                prop_oneof![4 => 0_u32..64, 2 => Just(512), 1 => any::<u32>()],
                0_u16..4,
                0_u16..16,
            ),
            16,
        ),
        heads in prop::collection::vec(0_u16..16, 1..16),
    ) {
        let file = file(&[7; 4096]);
        let mut machine = Machine::new(FileDisk::new(file.try_clone().unwrap()).unwrap(), false);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        machine.mem.write_slice(&bytes, GuestAddress(0x4000)).unwrap();
        for (index, (addr, len, flags, next)) in (0..).zip(descs) {
            machine.driver.describe(index, Desc { addr, len, flags, next });
        }
        for head in heads {
            machine.driver.offer(head);
            let _ = machine.work();
        }
        prop_assert_eq!(file.metadata().unwrap().len(), 4096);
    }
}
