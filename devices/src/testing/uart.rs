//! A UART between a guest at its registers and a host at its line.

use std::io::Write;

use super::{Counter, Screen};
use crate::fixed::uart::Uart;
use crate::{Device, Interrupt, Outcome};

/// What a UART is built with: its output and its interrupt line.
pub type Build<D> = fn(Box<dyn Write + Send>, Box<dyn Interrupt>) -> D;

/// A UART and its surroundings.
pub struct Bench<D> {
    /// The device.
    pub uart: D,
    /// What the guest sends.
    pub screen: Screen,
    /// Counts its interrupts.
    pub irq: Counter,
    /// Counts how often it asked for input.
    pub drained: Counter,
}

/// What guest or host do.
#[derive(Clone, Debug)]
pub enum Step {
    /// The guest reads so many bytes at an offset.
    Read(u64, usize),
    /// The guest writes at an offset.
    Write(u64, Vec<u8>),
    /// Somebody types.
    Enqueue(Vec<u8>),
    /// The machine is reset.
    Reset,
}

/// All that guest and host can see of a step.
#[derive(Debug, PartialEq)]
pub struct Seen {
    /// What was read, or how many bytes were taken.
    pub answer: Vec<u8>,
    /// How many bytes it would take now.
    pub room: usize,
    /// What went out.
    pub sent: Vec<u8>,
    /// How many interrupts came.
    pub edges: usize,
    /// How often input was asked for.
    pub wakes: usize,
}

impl<D: Uart + Device> Bench<D> {
    /// Around a new device.
    pub fn of(build: Build<D>) -> Self {
        let (screen, irq, drained) = <(Screen, Counter, Counter)>::default();
        let mut uart = build(Box::new(screen.clone()), Box::new(irq.clone()));
        uart.on_input_drained(Box::new(drained.clone()));
        Self { uart, screen, irq, drained }
    }

    /// Takes a step, and what is on the screen.
    pub fn take(&mut self, step: &Step) -> Seen {
        let (edges, wakes) = (self.irq.count(), self.drained.count());
        let mut answer = Vec::new();
        match step {
            Step::Read(offset, len) => {
                answer = vec![0xa5; *len];
                self.uart.read(*offset, &mut answer);
            }
            Step::Write(offset, bytes) => {
                assert_eq!(self.uart.write(*offset, bytes), Outcome::Continue);
            }
            Step::Enqueue(bytes) => {
                let room = self.uart.input_room();
                let taken = self.uart.enqueue(bytes);
                assert_eq!(taken, room.min(bytes.len()), "what fits is taken");
                answer.push(taken as u8);
            }
            Step::Reset => self.uart.reset(),
        }
        let (edges, wakes) = (self.irq.count() - edges, self.drained.count() - wakes);
        let sent = self.screen.take();
        assert!(edges <= 8 && wakes <= 8 && sent.len() <= 8, "one of each for each byte");
        Seen { answer, room: self.uart.input_room(), sent, edges, wakes }
    }
}
