//! The PL011's registers and their bits (Arm DDI 0183G, chapter 3).

/// Data register: what was received, when read; what is to be sent, when written.
pub(super) const DR: u64 = 0x000;
/// Receive status, when read; any write clears it.
pub(super) const RSR_ECR: u64 = 0x004;
/// Flag register.
pub(super) const FR: u64 = 0x018;
/// IrDA low-power counter.
pub(super) const ILPR: u64 = 0x020;
/// Integer part of the baud rate's divisor.
pub(super) const IBRD: u64 = 0x024;
/// Fractional part of the baud rate's divisor.
pub(super) const FBRD: u64 = 0x028;
/// Line control.
pub(super) const LCR_H: u64 = 0x02c;
/// Control.
pub(super) const CR: u64 = 0x030;
/// Interrupt FIFO level select.
pub(super) const IFLS: u64 = 0x034;
/// Interrupt mask: ones let an interrupt through.
pub(super) const IMSC: u64 = 0x038;
/// Raw interrupt status.
pub(super) const RIS: u64 = 0x03c;
/// Masked interrupt status.
pub(super) const MIS: u64 = 0x040;
/// Interrupt clear.
pub(super) const ICR: u64 = 0x044;
/// DMA control.
pub(super) const DMACR: u64 = 0x048;

/// Bits of [`DR`] that hold the byte.
pub(super) const DR_DATA: u16 = 0xff;
/// Before this byte others were lost.
pub(super) const DR_OVERRUN: u16 = 1 << 11;
pub(super) const RSR_OVERRUN: u8 = 1 << 3;

const FR_CTS: u16 = 1 << 0;
const FR_DSR: u16 = 1 << 1;
const FR_DCD: u16 = 1 << 2;
pub(super) const FR_RECEIVE_EMPTY: u16 = 1 << 4;
pub(super) const FR_RECEIVE_FULL: u16 = 1 << 6;
pub(super) const FR_TRANSMIT_EMPTY: u16 = 1 << 7;
const FR_RI: u16 = 1 << 8;

/// The FIFO is 32 deep, not 1.
pub(super) const LCR_H_FIFO_ENABLE: u8 = 1 << 4;

pub(super) const CR_UART_ENABLE: u16 = 1 << 0;
/// What is sent is received, and the modem outputs are the modem inputs.
pub(super) const CR_LOOPBACK: u16 = 1 << 7;
pub(super) const CR_TRANSMIT_ENABLE: u16 = 1 << 8;
pub(super) const CR_RECEIVE_ENABLE: u16 = 1 << 9;
const CR_DTR: u16 = 1 << 10;
const CR_RTS: u16 = 1 << 11;
const CR_OUT1: u16 = 1 << 12;
const CR_OUT2: u16 = 1 << 13;
/// Bits 3 to 6 are reserved.
pub(super) const CR_ALL: u16 = 0xff87;

pub(super) const IFLS_ALL: u8 = 0x3f;
pub(super) const FBRD_ALL: u8 = 0x3f;
pub(super) const DMACR_ALL: u8 = 0x07;

const INT_RI: u16 = 1 << 0;
const INT_CTS: u16 = 1 << 1;
const INT_DCD: u16 = 1 << 2;
const INT_DSR: u16 = 1 << 3;
pub(super) const INT_MODEM: u16 = INT_RI | INT_CTS | INT_DCD | INT_DSR;
pub(super) const INT_RECEIVE: u16 = 1 << 4;
pub(super) const INT_TRANSMIT: u16 = 1 << 5;
pub(super) const INT_RECEIVE_TIMEOUT: u16 = 1 << 6;
pub(super) const INT_OVERRUN: u16 = 1 << 10;
/// All of the mask register, with the framing, parity and break errors that never happen here.
pub(super) const INT_ALL: u16 = 0x7ff;

/// Each modem output in [`CR`] with the input in [`FR`] that it is in loopback, and that input's interrupt (§3.3.8).
const MODEM: [(u16, u16, u16); 4] = [
    (CR_RTS, FR_CTS, INT_CTS),
    (CR_DTR, FR_DSR, INT_DSR),
    (CR_OUT1, FR_DCD, INT_DCD),
    (CR_OUT2, FR_RI, INT_RI),
];

/// The modem inputs as flags of [`FR`]: in loopback the four modem outputs, else those of a connected terminal that is ready.
pub(super) fn modem_lines(control: u16) -> u16 {
    if control & CR_LOOPBACK == 0 {
        return FR_CTS | FR_DSR | FR_DCD;
    }
    let on = MODEM.into_iter().filter(|(output, ..)| control & output != 0);
    on.fold(0, |lines, (_, input, _)| lines | input)
}

/// The interrupts of the modem inputs that a write of [`CR`] changes.
pub(super) fn modem_changes(old_control: u16, new_control: u16) -> u16 {
    let changed = modem_lines(old_control) ^ modem_lines(new_control);
    let changes = MODEM.into_iter().filter(|(_, input, _)| changed & input != 0);
    changes.fold(0, |interrupts, (.., interrupt)| interrupts | interrupt)
}

/// How many bytes in the 32-byte FIFO are a receive interrupt: 1/8, 1/4, 1/2, 3/4 or 7/8 of it. The values 5 to 7 are reserved.
pub(super) fn receive_level(fifo_levels: u8) -> usize {
    match fifo_levels >> 3 & 0b111 {
        0 => 4,
        1 => 8,
        2 => 16,
        3 => 24,
        _ => 28,
    }
}
