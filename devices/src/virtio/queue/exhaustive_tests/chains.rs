//! Each chain that a queue of four can hold, loops and tables included, against the specification's walk.

use super::super::driver::{Desc, INDIRECT, NEXT};
use super::*;

const SIZE: u16 = 4;
/// Where buffers are, and where memory is not.
const BUFFER: u64 = 0x3000;
const OUTSIDE: u64 = 0x1_0000;
/// What stands in descriptors that the walk must not reach: behind both tables, and before it is needed.
const POISON: Desc = Desc { addr: 0x3f00, len: 1, flags: WRITE, next: 0 };
/// Where the indirect table is.
const TABLE: u64 = 0x2800;

/// A descriptor, as far as it makes a difference.
#[derive(Clone, Copy, Debug)]
enum Choice {
    Buffer {
        writable: bool,
        addr: u64,
        len: u32,
        next: Option<u16>,
    },
    /// It refers to a table of so many bytes, and may claim that the chain goes on.
    Table {
        bytes: u32,
        goes_on: bool,
    },
}

impl Choice {
    fn desc(self) -> Desc {
        let flag = |is_set: bool, flag| if is_set { flag } else { 0 };
        match self {
            Choice::Buffer { writable, addr, len, next } => {
                let flags = flag(writable, WRITE) | flag(next.is_some(), NEXT);
                Desc { addr, len, flags, next: next.unwrap_or(1) }
            }
            Choice::Table { bytes, goes_on } => {
                Desc { addr: TABLE, len: bytes, flags: INDIRECT | flag(goes_on, NEXT), next: 1 }
            }
        }
    }
}

/// All that one may be: with these buffers, each readable and writable, at the end of the chain and before each descriptor,
/// be it there or not.
fn choices(buffers: &[(u64, u32)], tables: &[u32]) -> Vec<Choice> {
    let nexts = (0..=SIZE).chain([u16::MAX]).map(Some).chain([None]);
    let mut all = Vec::new();
    for &(addr, len) in buffers {
        for writable in [false, true] {
            all.extend(nexts.clone().map(|next| Choice::Buffer { writable, addr, len, next }));
        }
    }
    all.extend(tables.iter().map(|&bytes| Choice::Table { bytes, goes_on: false }));
    all.push(Choice::Table { bytes: 16, goes_on: true });
    all
}

/// The direct descriptors and those of the table, as far as they are chosen.
type Tables = [[Option<Choice>; SIZE as usize]; 2];
const DIRECT: usize = 0;
const IN_TABLE: usize = 1;

#[derive(Debug, PartialEq)]
enum Walk {
    /// Buffers of the readable part, and of the writable one.
    Chain([Vec<(u64, u32)>; 2]),
    Refused,
    /// This descriptor of that table decides.
    Asks(usize, u16),
}

/// virtio 1.2 §2.7.5, over choices: nothing of the code that is tested.
fn walk(tables: &Tables) -> Walk {
    let mut parts = [Vec::new(), Vec::new()];
    let (mut place, mut len, mut index, mut buffers) = (DIRECT, SIZE, 0, 0);
    loop {
        let Some(choice) = tables[place][usize::from(index)] else {
            return Walk::Asks(place, index);
        };
        match choice {
            Choice::Table { bytes, goes_on } => {
                let is_whole = [16, 32, 48, 64].contains(&bytes);
                if place == IN_TABLE || goes_on || !is_whole {
                    return Walk::Refused;
                }
                (place, len, index) = (IN_TABLE, (bytes / 16) as u16, 0);
            }
            Choice::Buffer { writable, addr, len: bytes, next } => {
                buffers += 1;
                let is_late = !writable && !parts[1].is_empty();
                if buffers > SIZE || is_late || addr == OUTSIDE {
                    return Walk::Refused;
                }
                if bytes != 0 {
                    parts[usize::from(writable)].push((addr, bytes));
                }
                match next {
                    None => return Walk::Chain(parts),
                    Some(next) if next >= len => return Walk::Refused,
                    Some(next) => index = next,
                }
            }
        }
    }
}

/// The device, and what was tried on it.
struct Bench {
    mem: GuestMemory,
    driver: Driver,
    queue: Queue,
    choices: [Vec<Choice>; 2],
    tried: usize,
    accepted: usize,
}

impl Bench {
    fn new(choices: [Vec<Choice>; 2]) -> Bench {
        let mem = memory(0x4000);
        let mut driver = Driver::new(&mem, 0, SIZE);
        let queue = driver.device();
        driver.offer(0);
        for index in 0..8 {
            driver.describe(index, POISON);
            POISON.write(&mem, TABLE, index);
        }
        Bench { mem, driver, queue, choices, tried: 0, accepted: 0 }
    }

    /// Everything that begins like this. Descriptors are chosen when the walk comes to them: no two tries are alike.
    fn explore(&mut self, tables: &mut Tables) {
        match walk(tables) {
            Walk::Asks(place, index) => {
                for number in 0..self.choices[place].len() {
                    let choice = self.choices[place][number];
                    tables[place][usize::from(index)] = Some(choice);
                    self.write(place, index, choice.desc());
                    self.explore(tables);
                }
                tables[place][usize::from(index)] = None;
                self.write(place, index, POISON);
            }
            expected => self.compare(&expected, tables),
        }
    }

    fn write(&self, place: usize, index: u16, desc: Desc) {
        desc.write(&self.mem, [self.driver.table, TABLE][place], index);
    }

    fn compare(&mut self, expected: &Walk, tables: &Tables) {
        self.tried += 1;
        self.queue.state.next_avail = 0;
        let found = match self.queue.pop(&self.mem) {
            Ok(Some(chain)) => {
                self.accepted += 1;
                let part = |buffers: &[Buffer]| {
                    buffers.iter().map(|buffer| (buffer.addr.0, buffer.len)).collect()
                };
                Walk::Chain([part(&chain.readable), part(&chain.writable)])
            }
            Ok(None) => panic!("one is there: {tables:?}"),
            Err(_) => Walk::Refused,
        };
        assert_eq!(found, *expected, "{tables:?}");
    }
}

#[test]
fn every_chain_of_direct_descriptors() {
    let buffers = [(BUFFER, 8), (BUFFER + 8, 0), (OUTSIDE, 1)];
    let mut bench = Bench::new([choices(&buffers, &[0, 8, 17, u32::MAX]), Vec::new()]);
    bench.explore(&mut Tables::default());
    // All of them, of which not all are refused.
    assert_eq!((bench.tried, bench.accepted), (17_159, 1_198));
}

#[test]
fn every_chain_that_ends_in_a_table() {
    let direct = choices(&[(BUFFER, 8), (BUFFER + 8, 0)], &[16, 32, 48, 64]);
    let indirect = choices(&[(BUFFER + 16, 4), (OUTSIDE, 1)], &[16]);
    let mut bench = Bench::new([direct, indirect]);
    bench.explore(&mut Tables::default());
    assert_eq!((bench.tried, bench.accepted), (219_113, 5_318));
}

#[test]
fn every_head() {
    let mut bench = Bench::new([Vec::new(), Vec::new()]);
    for head in 0..=u16::MAX {
        bench.driver.store(bench.driver.avail + 4, head);
        bench.queue.state.next_avail = 0;
        assert_eq!(bench.queue.pop(&bench.mem).is_ok(), head < SIZE, "{head}");
    }
}
