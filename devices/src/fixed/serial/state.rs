//! What a snapshot of the port holds.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::INPUT_CAPACITY;
use super::registers::*;
use crate::RestoreError;

/// The port's state: its registers, and what they stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SerialState {
    pub(super) divisor: u16,
    pub(super) interrupt_enable: u8,
    pub(super) fifo_enabled: bool,
    pub(super) line_control: u8,
    pub(super) modem_control: u8,
    /// The four "has changed" bits of the modem status register.
    pub(super) modem_delta: u8,
    pub(super) scratch: u8,
    pub(super) transmitter_empty_pending: bool,
    pub(super) overrun: bool,
    pub(super) input: VecDeque<u8>,
}

impl Default for SerialState {
    fn default() -> Self {
        Self {
            // 9600 baud.
            divisor: 12,
            interrupt_enable: 0,
            fifo_enabled: false,
            line_control: 0,
            modem_control: 0,
            modem_delta: 0,
            scratch: 0,
            transmitter_empty_pending: false,
            overrun: false,
            input: VecDeque::new(),
        }
    }
}

impl SerialState {
    /// Whether a port can be in it.
    pub(super) fn check(&self) -> Result<(), RestoreError> {
        let refuse = |field, value: usize, expected: String| {
            Err(RestoreError::new("serial", field, value, expected))
        };
        if self.input.len() > INPUT_CAPACITY {
            return refuse("input", self.input.len(), format!("at most {INPUT_CAPACITY} bytes"));
        }
        for (field, value, mask) in [
            ("interrupt_enable", self.interrupt_enable, IER_ALL),
            ("modem_control", self.modem_control, MCR_ALL),
            ("modem_delta", self.modem_delta, MSR_DELTA),
        ] {
            if value & !mask != 0 {
                return refuse(field, value.into(), format!("within the bits {mask:#x}"));
            }
        }
        Ok(())
    }
}
