//! COM1, as a 16550A is driven: its FIFO takes 16 bytes whenever the transmitter is empty.

use super::cpu::{in_byte, out_byte};
use super::interrupts::{self, COM1_PIN};
use crate::kernel::report::{Fault, Line, put};

const COM1: u16 = 0x3f8;
const INTERRUPT_ENABLE: u16 = COM1 + 1;
const INTERRUPT_ID: u16 = COM1 + 2;
const FIFO_CONTROL: u16 = COM1 + 2;
const LINE_CONTROL: u16 = COM1 + 3;
const MODEM_CONTROL: u16 = COM1 + 4;
const LINE_STATUS: u16 = COM1 + 5;
const SCRATCH: u16 = COM1 + 7;

const FIFO_DEPTH: usize = 16;
const TRANSMITTER_EMPTY: u8 = 1 << 5;
const DATA_READY: u8 = 1;
const RECEIVER_INTERRUPT: u8 = 1;
const TRANSMITTER_INTERRUPT: u8 = 1 << 1;
/// Interrupt identification: both FIFO bits and "transmitter empty".
const FIFO_AND_TRANSMITTER: u8 = 0xc2;

/// 8 data bits, FIFOs on, all modem outputs on (on a PC one of them lets interrupts through).
pub fn init() {
    out_byte(LINE_CONTROL, 3);
    out_byte(FIFO_CONTROL, 7);
    out_byte(MODEM_CONTROL, 0x0b);
}

/// Sends bytes, and gives up on a dead transmitter rather than hang.
pub fn send(bytes: &[u8]) {
    for burst in bytes.chunks(FIFO_DEPTH) {
        let ready = (0..10_000).any(|_| in_byte(LINE_STATUS) & TRANSMITTER_EMPTY != 0);
        if ready {
            burst.iter().for_each(|byte| out_byte(COM1, *byte));
        }
    }
}

/// Has what comes in interrupt, too.
pub fn listen() {
    out_byte(INTERRUPT_ENABLE, RECEIVER_INTERRUPT);
}

/// Takes what has come in, and says how many bytes it was.
pub fn take_input() -> u32 {
    let mut count = 0;
    while in_byte(LINE_STATUS) & DATA_READY != 0 {
        in_byte(COM1);
        count += 1;
    }
    count
}

/// The registers answer, and an empty transmitter interrupts when that is switched on.
pub fn check(line: &mut Line) -> Result<(), Fault> {
    out_byte(SCRATCH, 0xa5);
    if in_byte(SCRATCH) != 0xa5 {
        return Err("the scratch register does not keep its value");
    }
    let before = interrupts::count(COM1_PIN);
    out_byte(INTERRUPT_ENABLE, TRANSMITTER_INTERRUPT);
    let came = interrupts::wait_until(|| interrupts::count(COM1_PIN) != before);
    let id = in_byte(INTERRUPT_ID);
    out_byte(INTERRUPT_ENABLE, 0);
    put!(line, "16550A, transmitter interrupt on pin {COM1_PIN}, identification {id:#04x}");
    if !came {
        return Err("no interrupt in time");
    }
    if id != FIFO_AND_TRANSMITTER {
        return Err("the interrupt is not identified as the transmitter's");
    }
    Ok(())
}
