//! 16550A serial port: the guest's console.
//!
//! The transmitter is infinitely fast: a byte written to the holding register is out at once, so the register is
//! always empty again. The receiver has a bounded buffer that the host fills ([`Uart`]).
//!
//! Interrupt causes and how each goes away (PC16550D datasheet, table IV, highest priority first):
//!
//! | cause | set | cleared |
//! |---|---|---|
//! | line status | a looped-back byte found the buffer full | read of the line status register |
//! | received data | a byte is in the buffer | the buffer is empty |
//! | transmitter empty | a byte went out, or its interrupt was switched on | read of the identification register, or a write |
//! | modem status | a modem line changed (loopback only) | read of the modem status register |
//!
//! An edge goes out whenever an enabled cause appears. A driver on an edge-triggered line reads causes until none is
//! left, so an edge that comes while it does so is merely superfluous.

mod registers;
mod state;
#[cfg(test)]
mod tests;

use std::io::Write;

use super::output::Output;
use super::uart::Uart;
use crate::{Device, Interrupt, Outcome, Registers, RestoreError};
use registers::*;
pub use state::SerialState;

/// How many bytes of input wait for the guest.
const INPUT_CAPACITY: usize = 64;
/// Depth of the 16550A's own receive FIFO: what loopback can fill. Linux counts it to tell UARTs apart.
const LOOPBACK_CAPACITY: usize = 16;

/// The serial port.
pub struct Serial {
    state: SerialState,
    output: Output,
    irq: Box<dyn Interrupt>,
    drained: Option<Box<dyn Interrupt>>,
}

impl Serial {
    /// A port as after power-on, which sends to `out` and interrupts by `irq`.
    ///
    /// Each byte is written to `out` at once. A slow blocking `out` slows the guest down; one that says `WouldBlock` loses the
    /// byte, as an unconnected cable would; one that is closed loses all that follows.
    pub fn new(out: Box<dyn Write + Send>, irq: Box<dyn Interrupt>) -> Self {
        Self { state: SerialState::default(), output: Output::new(out), irq, drained: None }
    }

    fn in_loopback(&self) -> bool {
        self.state.modem_control & MCR_LOOPBACK != 0
    }

    fn divisor_latch(&self) -> bool {
        self.state.line_control & LCR_DIVISOR_LATCH != 0
    }

    /// The enabled interrupt causes that hold, as bits of the interrupt enable register.
    fn causes(&self) -> u8 {
        let state = &self.state;
        let mut causes = 0;
        if !state.input.is_empty() {
            causes |= IER_RECEIVED;
        }
        if state.transmitter_empty_pending {
            causes |= IER_TRANSMITTER_EMPTY;
        }
        if state.overrun {
            causes |= IER_LINE_STATUS;
        }
        if state.modem_delta != 0 {
            causes |= IER_MODEM_STATUS;
        }
        causes & state.interrupt_enable
    }

    /// After a register access: interrupts if it brought about a cause, wakes the host if it emptied the input buffer.
    fn tell_changes(&self, causes_before: u8, room_before: usize) {
        if self.causes() & !causes_before != 0 {
            self.irq.raise();
        }
        if room_before < INPUT_CAPACITY
            && self.input_room() == INPUT_CAPACITY
            && let Some(drained) = &self.drained
        {
            drained.raise();
        }
    }

    fn read_register(&mut self, register: u64) -> u8 {
        match register {
            DATA if self.divisor_latch() => self.state.divisor.to_le_bytes()[0],
            DATA => self.receive(),
            INTERRUPT_ENABLE if self.divisor_latch() => self.state.divisor.to_le_bytes()[1],
            INTERRUPT_ENABLE => self.state.interrupt_enable,
            INTERRUPT_ID => self.identify_interrupt(),
            LINE_CONTROL => self.state.line_control,
            MODEM_CONTROL => self.state.modem_control,
            LINE_STATUS => self.line_status(),
            MODEM_STATUS => {
                modem_lines(self.state.modem_control) | std::mem::take(&mut self.state.modem_delta)
            }
            SCRATCH => self.state.scratch,
            _ => 0xff,
        }
    }

    fn write_register(&mut self, register: u64, value: u8) {
        match register {
            DATA if self.divisor_latch() => {
                self.state.divisor = self.state.divisor & 0xff00 | u16::from(value);
            }
            DATA => self.transmit(value),
            INTERRUPT_ENABLE if self.divisor_latch() => {
                self.state.divisor = self.state.divisor & 0x00ff | u16::from(value) << 8;
            }
            INTERRUPT_ENABLE => self.enable_interrupts(value),
            FIFO_CONTROL => self.control_fifo(value),
            LINE_CONTROL => self.state.line_control = value,
            MODEM_CONTROL => self.control_modem(value),
            SCRATCH => self.state.scratch = value,
            // The status registers are read-only.
            _ => {}
        }
    }

    fn receive(&mut self) -> u8 {
        self.state.input.pop_front().unwrap_or(0)
    }

    fn transmit(&mut self, byte: u8) {
        self.state.transmitter_empty_pending = true;
        if !self.in_loopback() {
            self.output.send(byte);
        } else if self.state.input.len() < LOOPBACK_CAPACITY {
            self.state.input.push_back(byte);
        } else {
            self.state.overrun = true;
        }
    }

    fn enable_interrupts(&mut self, value: u8) {
        let value = value & IER_ALL;
        if value & !self.state.interrupt_enable & IER_TRANSMITTER_EMPTY != 0 {
            self.state.transmitter_empty_pending = true;
        }
        self.state.interrupt_enable = value;
    }

    fn identify_interrupt(&mut self) -> u8 {
        let causes = self.causes();
        let id = if causes & IER_LINE_STATUS != 0 {
            IIR_LINE_STATUS
        } else if causes & IER_RECEIVED != 0 {
            IIR_RECEIVED
        } else if causes & IER_TRANSMITTER_EMPTY != 0 {
            self.state.transmitter_empty_pending = false;
            IIR_TRANSMITTER_EMPTY
        } else if causes & IER_MODEM_STATUS != 0 {
            IIR_MODEM_STATUS
        } else {
            IIR_NONE
        };
        if self.state.fifo_enabled { id | IIR_FIFO_ENABLED } else { id }
    }

    fn control_fifo(&mut self, value: u8) {
        let enable = value & FCR_ENABLE != 0;
        // Switching the FIFO on or off empties it, like the bit for it.
        if enable != self.state.fifo_enabled || enable && value & FCR_CLEAR_RECEIVER != 0 {
            self.state.input.clear();
        }
        self.state.fifo_enabled = enable;
    }

    fn control_modem(&mut self, value: u8) {
        let value = value & MCR_ALL;
        self.state.modem_delta |= modem_changes(self.state.modem_control, value);
        self.state.modem_control = value;
    }

    fn line_status(&mut self) -> u8 {
        let mut status = LSR_TRANSMITTER_EMPTY;
        if !self.state.input.is_empty() {
            status |= LSR_DATA_READY;
        }
        if std::mem::take(&mut self.state.overrun) {
            status |= LSR_OVERRUN;
        }
        status
    }
}

impl Registers for Serial {
    fn read(&mut self, offset: u64, data: &mut [u8]) {
        super::read_bytes(offset, data, |register| {
            let (causes, room) = (self.causes(), self.input_room());
            let value = self.read_register(register);
            self.tell_changes(causes, room);
            value
        });
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> Outcome {
        super::write_bytes(offset, data, |register, value| {
            let (mut causes, room) = (self.causes(), self.input_room());
            if register == DATA && !self.divisor_latch() {
                // The holding register is full for no time at all: its cause goes, and comes again.
                causes &= !IER_TRANSMITTER_EMPTY;
            }
            self.write_register(register, value);
            self.tell_changes(causes, room);
            Outcome::Continue
        })
    }
}

impl Uart for Serial {
    fn enqueue(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.input_room());
        self.state.input.extend(&bytes[..taken]);
        if taken > 0 && self.causes() & IER_RECEIVED != 0 {
            self.irq.raise();
        }
        taken
    }

    fn input_room(&self) -> usize {
        if self.in_loopback() { 0 } else { INPUT_CAPACITY.saturating_sub(self.state.input.len()) }
    }

    fn on_input_drained(&mut self, wake: Box<dyn Interrupt>) {
        self.drained = Some(wake);
    }
}

impl Device for Serial {
    type State = SerialState;

    fn reset(&mut self) {
        let (causes, room) = (self.causes(), self.input_room());
        self.state = SerialState::default();
        self.tell_changes(causes, room);
    }

    fn save(&self) -> SerialState {
        self.state.clone()
    }

    fn restore(&mut self, state: &SerialState) -> Result<(), RestoreError> {
        state.check()?;
        self.state = state.clone();
        Ok(())
    }
}
