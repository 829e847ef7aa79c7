//! The PL011 (Arm DDI 0183G): its FIFO takes 16 bytes whenever it is empty.

use super::fdt::Fdt;
use super::{gic, interrupts};
use crate::kernel::registers::Registers;
use crate::kernel::report::{Fault, Line, put};

pub const PL011: &str = "arm,pl011";
pub const ADDRESS: u64 = 0x0900_0000;
pub const SPI: usize = 1;

// SAFETY: these are its registers.
const UART: Registers = unsafe { Registers::at(ADDRESS) };
const DATA: u64 = 0x0;
const FLAGS: u64 = 0x18;
const LINE_CONTROL: u64 = 0x2c;
const CONTROL: u64 = 0x30;
const INTERRUPT_MASK: u64 = 0x38;
const MASKED_INTERRUPTS: u64 = 0x40;
const INTERRUPT_CLEAR: u64 = 0x44;
const PART: u64 = 0xfe0;

const FIFO_DEPTH: usize = 16;
const FIFO_EMPTY: u32 = 1 << 7;
const RECEIVE_EMPTY: u32 = 1 << 4;
/// 8 data bits, FIFOs on.
const LINE_8_BITS_FIFO: u32 = 3 << 5 | 1 << 4;
/// All of it, receiver and transmitter.
const ENABLE: u32 = 1 | 1 << 8 | 1 << 9;
const TRANSMIT: u32 = 1 << 5;
/// The receiver's FIFO is half full, or holds something for longer.
const RECEIVE: u32 = 1 << 4 | 1 << 6;

pub fn init() {
    UART.write(LINE_CONTROL, LINE_8_BITS_FIFO);
    UART.write(CONTROL, ENABLE);
}

/// Sends bytes, and gives up on a dead transmitter rather than hang.
pub fn send(bytes: &[u8]) {
    for burst in bytes.chunks(FIFO_DEPTH) {
        let ready = (0..10_000).any(|_| UART.read(FLAGS) & FIFO_EMPTY != 0);
        if ready {
            burst.iter().for_each(|byte| UART.write(DATA, (*byte).into()));
        }
    }
}

/// Has what comes in interrupt, too.
pub fn listen(fdt: Fdt) {
    open_interrupt(fdt);
    UART.write(INTERRUPT_MASK, RECEIVE);
}

/// Takes what has come in, and says how many bytes it was.
pub fn take_input() -> u32 {
    let mut count = 0;
    while UART.read(FLAGS) & RECEIVE_EMPTY == 0 {
        UART.read(DATA);
        count += 1;
    }
    count
}

fn open_interrupt(fdt: Fdt) {
    let interrupts = fdt.compatible(PL011).flat_map(|node| node.interrupts());
    interrupts.for_each(gic::open);
}

/// It is what it says; what was sent interrupts when that is switched on, until it is cleared.
pub fn check(line: &mut Line, fdt: Fdt) -> Result<(), Fault> {
    if part(UART) != 0x011 {
        return Err("it does not identify itself as a PL011");
    }
    open_interrupt(fdt);
    let before = interrupts::count(SPI);
    UART.write(INTERRUPT_MASK, TRANSMIT);
    let came = interrupts::wait_until(|| interrupts::count(SPI) != before);
    let cause = UART.read(MASKED_INTERRUPTS);
    UART.write(INTERRUPT_CLEAR, TRANSMIT);
    let rest = UART.read(MASKED_INTERRUPTS);
    UART.write(INTERRUPT_MASK, 0);
    put!(line, "PL011, transmitter interrupt on SPI {SPI}, cause {cause:#x}");
    if !came {
        return Err("no interrupt in time");
    }
    if cause != TRANSMIT || rest != 0 {
        return Err("the interrupt is not the transmitter's, or stays after it was cleared");
    }
    Ok(())
}

/// The part number by which a peripheral of Arm's identifies itself (DDI 0183G §3.3.14).
pub fn part(registers: Registers) -> u32 {
    registers.read(PART) & 0xff | (registers.read(PART + 4) & 0xf) << 8
}
