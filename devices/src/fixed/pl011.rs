//! PL011 UART (Arm DDI 0183G, revision r1p5): the guest's console.
//!
//! The transmitter is infinitely fast: a byte written to the data register is out at once, so its FIFO is always empty. It is
//! always on, whatever CR says: Linux's early console relies on firmware to have switched it on, and here there is none. The
//! receiver's FIFO is 32 bytes deep, or 1 without LCR_H.FEN, and the host fills it ([`Uart`]) when the receiver is on.
//!
//! Raw interrupts and how each goes away (§2.8 and §3.3.11):
//!
//! | cause | set | cleared |
//! |---|---|---|
//! | receive | the FIFO is filled up to its level | read below its level, or ICR |
//! | receive timeout | the FIFO is not empty: 32 bit times without a byte take no time | the FIFO is empty; after ICR it comes again |
//! | transmit | a byte went out | ICR; a write of the data register, after which it comes again |
//! | overrun | a looped-back byte found the FIFO full | ICR |
//! | modem | a modem line changed (loopback only) | ICR |
//!
//! The line goes to an edge-triggered input. An edge goes out whenever an enabled cause appears or comes again, and with each
//! input from the host. So a driver that handles causes until none is left misses none. Neither does one that gives up after some
//! rounds, like Linux's, if a round can empty the FIFO: whatever comes in or goes out meanwhile sends another edge.
//!
//! Left out: breaks and errors on the line, flow control, DMA, IrDA, and the integration test registers.

mod registers;
mod state;
#[cfg(test)]
mod tests;

use std::io::Write;

use super::output::Output;
use super::primecell::{Identification, read_words, write_words};
use super::uart::Uart;
use crate::{Device, Interrupt, Outcome, Registers, RestoreError};
use registers::*;
pub use state::Pl011State;

/// Depth of the receive FIFO since r1p5; before it was 16, and Linux tells by the revision.
const FIFO_DEPTH: usize = 32;
/// Part 0x011, r1p5 (§3.3.15).
const IDENTIFICATION: Identification = Identification::of_arm_part(0x011, 3);

/// The UART.
pub struct Pl011 {
    state: Pl011State,
    output: Output,
    irq: Box<dyn Interrupt>,
    drained: Option<Box<dyn Interrupt>>,
}

impl Pl011 {
    /// A UART as after power-on, which sends to `out` and interrupts by `irq`.
    ///
    /// Each byte is written to `out` at once. A slow blocking `out` slows the guest down; one that says `WouldBlock` loses the
    /// byte, as an unconnected cable would; one that is closed loses all that follows.
    pub fn new(out: Box<dyn Write + Send>, irq: Box<dyn Interrupt>) -> Self {
        Self { state: Pl011State::default(), output: Output::new(out), irq, drained: None }
    }

    fn raw_interrupts(&self) -> u16 {
        let timeout = if self.state.fifo.is_empty() { 0 } else { INT_RECEIVE_TIMEOUT };
        self.state.latched | timeout
    }

    /// The enabled causes that hold.
    fn causes(&self) -> u16 {
        self.raw_interrupts() & self.state.imsc
    }

    /// The receiver is on and gets what comes from outside.
    fn is_connected(&self) -> bool {
        self.state.is_receiver_on() && !self.state.in_loopback()
    }

    fn awaits_input(&self) -> bool {
        self.is_connected() && self.state.fifo.is_empty()
    }

    /// Runs a change, and interrupts if that brought about a cause or made one of `renewed` come again; wakes the host if it left
    /// the receiver empty.
    fn tell_changes<T>(&mut self, renewed: u16, change: impl FnOnce(&mut Self) -> T) -> T {
        let causes_before = self.causes() & !renewed;
        let awaited_before = self.awaits_input();
        let result = change(self);
        if self.causes() & !causes_before != 0 {
            self.irq.raise();
        }
        if self.awaits_input()
            && !awaited_before
            && let Some(drained) = &self.drained
        {
            drained.raise();
        }
        result
    }

    /// Runs a change of the FIFO, its depth or its level. The receive interrupt tells of the way up only (§2.8.2).
    fn change_fifo<T>(&mut self, change: impl FnOnce(&mut Pl011State) -> T) -> T {
        let reached_before = self.state.is_level_reached();
        let result = change(&mut self.state);
        match (reached_before, self.state.is_level_reached()) {
            (false, true) => self.state.latched |= INT_RECEIVE,
            (_, false) => self.state.latched &= !INT_RECEIVE,
            (true, true) => {}
        }
        result
    }

    fn read_register(&mut self, register: u64) -> u32 {
        match register {
            DR => self.change_fifo(|state| state.fifo.pop_front()).unwrap_or(0).into(),
            RSR_ECR => self.state.receive_status.into(),
            FR => self.flags().into(),
            ILPR => self.state.ilpr.into(),
            IBRD => self.state.ibrd.into(),
            FBRD => self.state.fbrd.into(),
            LCR_H => self.state.lcr_h.into(),
            CR => self.state.cr.into(),
            IFLS => self.state.ifls.into(),
            IMSC => self.state.imsc.into(),
            RIS => self.raw_interrupts().into(),
            MIS => self.causes().into(),
            DMACR => self.state.dmacr.into(),
            _ => IDENTIFICATION.read(register),
        }
    }

    /// Bits beyond a register's width are lost.
    fn write_register(&mut self, register: u64, value: u32) {
        let (byte, half) = (value as u8, value as u16);
        match register {
            DR => self.transmit(byte),
            RSR_ECR => self.state.receive_status = 0,
            ILPR => self.state.ilpr = byte,
            IBRD => self.state.ibrd = half,
            FBRD => self.state.fbrd = byte & FBRD_ALL,
            LCR_H => self.change_fifo(|state| state.lcr_h = byte),
            CR => self.control(half & CR_ALL),
            IFLS => self.change_fifo(|state| state.ifls = byte & IFLS_ALL),
            IMSC => self.state.imsc = half & INT_ALL,
            ICR => self.state.latched &= !half,
            DMACR => self.state.dmacr = byte & DMACR_ALL,
            // The others are read-only.
            _ => {}
        }
    }

    fn flags(&self) -> u16 {
        let mut flags = FR_TRANSMIT_EMPTY | modem_lines(self.state.cr);
        if self.state.fifo.is_empty() {
            flags |= FR_RECEIVE_EMPTY;
        }
        if self.state.fifo.len() >= self.state.depth() {
            flags |= FR_RECEIVE_FULL;
        }
        flags
    }

    fn transmit(&mut self, byte: u8) {
        self.state.latched |= INT_TRANSMIT;
        if !self.state.in_loopback() {
            self.output.send(byte);
        } else if self.state.is_receiver_on() {
            self.receive(byte);
        }
    }

    /// A byte comes in. If it finds the FIFO full, it is lost, and the next that does not tells so (§3.3.1).
    fn receive(&mut self, byte: u8) {
        if self.state.fifo.len() < self.state.depth() {
            let lost = std::mem::take(&mut self.state.overrun);
            let mark = if lost { DR_OVERRUN } else { 0 };
            self.change_fifo(|state| state.fifo.push_back(u16::from(byte) | mark));
        } else {
            self.state.overrun = true;
            self.state.receive_status |= RSR_OVERRUN;
            self.state.latched |= INT_OVERRUN;
        }
    }

    fn control(&mut self, value: u16) {
        self.state.latched |= modem_changes(self.state.cr, value);
        self.state.cr = value;
    }
}

impl Uart for Pl011 {
    fn enqueue(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.input_room());
        if taken > 0 {
            self.tell_changes(INT_RECEIVE | INT_RECEIVE_TIMEOUT, |uart| {
                bytes[..taken].iter().for_each(|byte| uart.receive(*byte));
            });
        }
        taken
    }

    fn input_room(&self) -> usize {
        let state = &self.state;
        if self.is_connected() { state.depth().saturating_sub(state.fifo.len()) } else { 0 }
    }

    fn on_input_drained(&mut self, wake: Box<dyn Interrupt>) {
        self.drained = Some(wake);
    }
}

impl Registers for Pl011 {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        read_words(offset, data, |register| {
            self.tell_changes(0, |uart| uart.read_register(register))
        });
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Outcome {
        write_words(offset, data, |register, value| {
            let renewed = match register {
                // The FIFO is above its level for no time at all.
                DR => INT_TRANSMIT,
                ICR => value as u16 & INT_RECEIVE_TIMEOUT,
                _ => 0,
            };
            self.tell_changes(renewed, |uart| uart.write_register(register, value));
        })
    }
}

impl Device for Pl011 {
    type State = Pl011State;

    fn reset(&mut self) {
        self.state = Pl011State::default();
    }

    fn save(&self) -> Pl011State {
        self.state.clone()
    }

    fn restore(&mut self, state: &Pl011State) -> Result<(), RestoreError> {
        state.check()?;
        self.state = state.clone();
        Ok(())
    }
}
