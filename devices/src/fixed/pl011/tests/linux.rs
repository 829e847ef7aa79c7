//! A driver with the habits of Linux's drivers/tty/serial/amba-pl011.c on an edge-triggered line, and a host that types between any
//! two of its register accesses: all input arrives, all output goes out, each once and in order.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// What a reader of the guest's terminal, a writer to it, and the kernel itself do.
#[derive(Clone, Debug)]
enum Action {
    /// A process writes so many bytes to the terminal.
    Write(usize),
    /// The kernel prints a byte, which does not go through the driver's queue.
    Print,
    /// The last process closes the terminal, and the next opens it.
    Reopen,
    /// The processor takes an interrupt, if one is pending.
    Interrupt,
}

/// How often a driver of some version lets itself go on.
#[derive(Clone, Debug)]
struct Habits {
    /// Rounds of the interrupt handler; 257 in Linux.
    rounds: usize,
    /// Bytes that it reads in a round; 256 in Linux, and never less than the FIFO holds.
    reads: usize,
    /// Bytes that it writes in a round: half of the FIFO in Linux.
    writes: usize,
    /// It sends at once what there is (since 4.1), or waits for the transmit interrupt, which it provoked by a byte in loopback.
    sends_at_once: bool,
}

/// What the kernel prints; processes write smaller bytes.
const PRINTED: u8 = 0xff;

struct Guest {
    bench: Bench,
    habits: Habits,
    /// Bytes that the host types before each register access of the guest's, over and over.
    typing: Vec<usize>,
    accesses: usize,
    to_type: VecDeque<u8>,
    received: Vec<u8>,
    /// The driver's queue.
    to_send: VecDeque<u8>,
    /// All that should be on the screen in the end.
    sent: Vec<u8>,
    mask: u16,
    edges_taken: usize,
}

impl Guest {
    fn new(habits: Habits, typing: Vec<usize>, input: Vec<u8>) -> Self {
        Self {
            bench: Bench::new(),
            habits,
            typing,
            accesses: 0,
            to_type: input.into(),
            received: Vec::new(),
            to_send: VecDeque::new(),
            sent: Vec::new(),
            mask: 0,
            edges_taken: 0,
        }
    }

    fn type_some(&mut self, bytes: usize) {
        let some = bytes.min(self.to_type.len());
        let taken = self.bench.uart.enqueue(&self.to_type.make_contiguous()[..some]);
        self.to_type.drain(..taken);
    }

    fn before_access(&mut self) {
        self.type_some(self.typing[self.accesses % self.typing.len()]);
        self.accesses += 1;
    }

    fn get(&mut self, register: u64) -> u16 {
        self.before_access();
        self.bench.get(register) as u16
    }

    fn put(&mut self, register: u64, value: u16) {
        self.before_access();
        self.bench.put(register, value);
    }

    fn set_mask(&mut self, mask: u16) {
        self.mask = mask;
        self.put(IMSC, mask);
    }

    /// Clears what is pending, switches on, takes out what came early, enables interrupts.
    fn open(&mut self) {
        self.put(ICR, INT_OVERRUN | INT_RECEIVE | INT_RECEIVE_TIMEOUT);
        self.put(IFLS, 0x12);
        if !self.habits.sends_at_once {
            self.put(CR, CR_UART_ENABLE | CR_TRANSMIT_ENABLE | CR_LOOPBACK);
            self.put(DR, 0);
        }
        self.put(CR, CR_UART_ENABLE | CR_TRANSMIT_ENABLE | CR_RECEIVE_ENABLE);
        self.put(ICR, INT_RECEIVE | INT_RECEIVE_TIMEOUT);
        self.read_fifo(2 * FIFO_DEPTH);
        self.set_mask(INT_RECEIVE | INT_RECEIVE_TIMEOUT);
        self.put(LCR_H, 0x60 | u16::from(LCR_H_FIFO_ENABLE));
    }

    fn close(&mut self) {
        // A process that closes a terminal waits until all is sent.
        while !self.to_send.is_empty() {
            assert!(self.interrupt(), "output waits for an interrupt that does not come");
        }
        self.set_mask(0);
        self.put(ICR, 0xffff);
        self.put(CR, CR_UART_ENABLE | CR_TRANSMIT_ENABLE);
        self.put(LCR_H, 0x60);
    }

    fn read_fifo(&mut self, at_most: usize) {
        for _ in 0..at_most {
            if self.get(FR) & FR_RECEIVE_EMPTY != 0 {
                break;
            }
            let byte = self.get(DR);
            assert_eq!(byte & !DR_DATA, 0, "no error");
            self.received.push(byte as u8);
        }
    }

    fn write_fifo(&mut self, at_most: usize) {
        for byte in self.to_send.drain(..at_most.min(self.to_send.len())).collect::<Vec<_>>() {
            self.put(DR, byte.into());
        }
        let enable = if self.to_send.is_empty() { 0 } else { INT_TRANSMIT };
        self.set_mask(self.mask & !INT_TRANSMIT | enable);
    }

    fn write(&mut self, bytes: usize) {
        for i in 0..bytes {
            self.to_send.push_back(i as u8);
            self.sent.push(i as u8);
        }
        if self.habits.sends_at_once {
            self.write_fifo(bytes);
        } else {
            self.set_mask(self.mask | INT_TRANSMIT);
        }
    }

    fn print(&mut self) {
        let control = self.get(CR);
        self.put(CR, control | CR_UART_ENABLE | CR_TRANSMIT_ENABLE);
        self.put(DR, PRINTED.into());
        self.put(CR, control);
    }

    /// Takes an interrupt; false if there was none. An edge that comes during it leaves another pending, as the GIC does.
    fn interrupt(&mut self) -> bool {
        if self.bench.edges() == self.edges_taken {
            return false;
        }
        self.edges_taken = self.bench.edges();
        for _ in 0..self.habits.rounds {
            let status = self.get(RIS) & self.mask;
            if status == 0 {
                break;
            }
            self.put(ICR, status & !(INT_TRANSMIT | INT_RECEIVE | INT_RECEIVE_TIMEOUT));
            if status & (INT_RECEIVE | INT_RECEIVE_TIMEOUT) != 0 {
                self.read_fifo(self.habits.reads);
            }
            if status & INT_TRANSMIT != 0 {
                self.write_fifo(self.habits.writes);
            }
        }
        true
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Write(bytes) => self.write(*bytes),
            Action::Print => self.print(),
            Action::Reopen => {
                self.close();
                self.open();
            }
            Action::Interrupt => {
                self.interrupt();
            }
        }
    }

    /// Nothing happens any more but interrupts, and wakes of a host that still has something.
    fn settle(&mut self) {
        loop {
            let wakes = self.bench.drained.count();
            if self.interrupt() {
                continue;
            }
            self.type_some(usize::MAX);
            if self.bench.edges() == self.edges_taken && self.bench.drained.count() == wakes {
                break;
            }
        }
    }
}

fn habits() -> impl Strategy<Value = Habits> {
    (1usize..4, FIFO_DEPTH..3 * FIFO_DEPTH, 1usize..17, any::<bool>()).prop_map(
        |(rounds, reads, writes, sends_at_once)| Habits { rounds, reads, writes, sends_at_once },
    )
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        3 => (1usize..100).prop_map(Action::Write),
        1 => Just(Action::Print),
        1 => Just(Action::Reopen),
        5 => Just(Action::Interrupt),
    ];
    prop::collection::vec(action, 0..20)
}

proptest! {
    #[test]
    fn no_byte_is_lost_and_nothing_stalls(
        habits in habits(),
        typing in prop::collection::vec(prop_oneof![3 => Just(0), 1 => 1usize..40], 1..20),
        input in prop::collection::vec(any::<u8>(), 0..400),
        actions in actions(),
    ) {
        let mut guest = Guest::new(habits, typing, input.clone());
        guest.open();
        for action in &actions {
            guest.act(action);
        }
        guest.settle();
        prop_assert_eq!(guest.received, input);
        let mut screen = guest.bench.screen.shows();
        screen.retain(|byte| *byte != PRINTED);
        prop_assert_eq!(screen, guest.sent);
    }
}
