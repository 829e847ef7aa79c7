//! What a snapshot of the UART holds.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::FIFO_DEPTH;
use super::registers::*;
use crate::RestoreError;

/// The UART's state: its registers, and what they stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pl011State {
    /// Received bytes, as DR gives them: with the overrun bit where others before were lost.
    pub(super) fifo: VecDeque<u16>,
    /// A byte was lost, and none received since.
    pub(super) overrun: bool,
    pub(super) receive_status: u8,
    pub(super) ilpr: u8,
    pub(super) ibrd: u16,
    pub(super) fbrd: u8,
    pub(super) lcr_h: u8,
    pub(super) cr: u16,
    pub(super) ifls: u8,
    pub(super) imsc: u16,
    /// The raw interrupt status, but for the receive timeout.
    pub(super) latched: u16,
    pub(super) dmacr: u8,
}

impl Default for Pl011State {
    /// After a reset (Arm DDI 0183G, table 3-1).
    fn default() -> Self {
        Self {
            fifo: VecDeque::new(),
            overrun: false,
            receive_status: 0,
            ilpr: 0,
            ibrd: 0,
            fbrd: 0,
            lcr_h: 0,
            cr: CR_TRANSMIT_ENABLE | CR_RECEIVE_ENABLE,
            // Both at half of the FIFO.
            ifls: 0x12,
            imsc: 0,
            latched: 0,
            dmacr: 0,
        }
    }
}

impl Pl011State {
    /// How many bytes the receiver holds.
    pub(super) fn depth(&self) -> usize {
        if self.lcr_h & LCR_H_FIFO_ENABLE != 0 { FIFO_DEPTH } else { 1 }
    }

    /// Whether there are as many bytes as make a receive interrupt.
    pub(super) fn is_level_reached(&self) -> bool {
        self.fifo.len() >= receive_level(self.ifls).min(self.depth())
    }

    pub(super) fn is_receiver_on(&self) -> bool {
        let on = CR_UART_ENABLE | CR_RECEIVE_ENABLE;
        self.cr & on == on
    }

    pub(super) fn in_loopback(&self) -> bool {
        self.cr & CR_LOOPBACK != 0
    }

    /// Refuses what no UART can have been in.
    pub(super) fn check(&self) -> Result<(), RestoreError> {
        let refuse = |field, value: String, expected: String| {
            Err(RestoreError::new("pl011", field, value, expected))
        };
        let bytes = self.fifo.len();
        if bytes > FIFO_DEPTH {
            return refuse("fifo", bytes.to_string(), format!("at most {FIFO_DEPTH} bytes"));
        }
        let fifo_bits = self.fifo.iter().fold(0, |bits, byte| bits | byte);
        for (field, value, mask) in [
            ("fifo", fifo_bits, DR_DATA | DR_OVERRUN),
            ("receive_status", self.receive_status.into(), RSR_OVERRUN.into()),
            ("fbrd", self.fbrd.into(), FBRD_ALL.into()),
            ("cr", self.cr, CR_ALL),
            ("ifls", self.ifls.into(), IFLS_ALL.into()),
            ("imsc", self.imsc, INT_ALL),
            ("latched", self.latched, INT_MODEM | INT_RECEIVE | INT_TRANSMIT | INT_OVERRUN),
            ("dmacr", self.dmacr.into(), DMACR_ALL.into()),
        ] {
            if value & !mask != 0 {
                return refuse(field, value.to_string(), format!("within the bits {mask:#x}"));
            }
        }
        if self.latched & INT_RECEIVE != 0 && !self.is_level_reached() {
            let expected = "without the receive interrupt while the FIFO is below its level";
            return refuse("latched", self.latched.to_string(), expected.into());
        }
        Ok(())
    }
}
