//! The 16550A's registers and their bits (PC16550D datasheet, table II).

/// Receiver buffer and transmitter holding register; low half of the divisor behind [`LCR_DIVISOR_LATCH`].
pub(super) const DATA: u64 = 0;
/// Interrupt enable register; high half of the divisor behind [`LCR_DIVISOR_LATCH`].
pub(super) const INTERRUPT_ENABLE: u64 = 1;
/// Interrupt identification register, when read.
pub(super) const INTERRUPT_ID: u64 = 2;
/// FIFO control register, when written.
pub(super) const FIFO_CONTROL: u64 = 2;
pub(super) const LINE_CONTROL: u64 = 3;
pub(super) const MODEM_CONTROL: u64 = 4;
pub(super) const LINE_STATUS: u64 = 5;
pub(super) const MODEM_STATUS: u64 = 6;
/// A byte without a meaning, by which drivers find out that there is a chip at all.
pub(super) const SCRATCH: u64 = 7;

pub(super) const IER_RECEIVED: u8 = 1 << 0;
pub(super) const IER_TRANSMITTER_EMPTY: u8 = 1 << 1;
pub(super) const IER_LINE_STATUS: u8 = 1 << 2;
pub(super) const IER_MODEM_STATUS: u8 = 1 << 3;
/// The other bits are hard-wired to zero: later chips have functions there, and Linux looks for them.
pub(super) const IER_ALL: u8 = 0x0f;

pub(super) const IIR_NONE: u8 = 0b0001;
pub(super) const IIR_MODEM_STATUS: u8 = 0b0000;
pub(super) const IIR_TRANSMITTER_EMPTY: u8 = 0b0010;
pub(super) const IIR_RECEIVED: u8 = 0b0100;
pub(super) const IIR_LINE_STATUS: u8 = 0b0110;
/// Both FIFOs are on; a 16550 without "A" shows only one of these bits.
pub(super) const IIR_FIFO_ENABLED: u8 = 0b1100_0000;

pub(super) const FCR_ENABLE: u8 = 1 << 0;
pub(super) const FCR_CLEAR_RECEIVER: u8 = 1 << 1;

/// Registers 0 and 1 are the divisor.
pub(super) const LCR_DIVISOR_LATCH: u8 = 1 << 7;

const MCR_DTR: u8 = 1 << 0;
const MCR_RTS: u8 = 1 << 1;
const MCR_OUT1: u8 = 1 << 2;
const MCR_OUT2: u8 = 1 << 3;
/// What is sent is received, and the modem outputs are the modem inputs.
pub(super) const MCR_LOOPBACK: u8 = 1 << 4;
pub(super) const MCR_ALL: u8 = 0x1f;

pub(super) const LSR_DATA_READY: u8 = 1 << 0;
pub(super) const LSR_OVERRUN: u8 = 1 << 1;
/// Holding register (bit 5) and shift register (bit 6) are empty.
pub(super) const LSR_TRANSMITTER_EMPTY: u8 = 1 << 5 | 1 << 6;

/// The "has changed" bits.
pub(super) const MSR_DELTA: u8 = 0x0f;
const MSR_CTS: u8 = 1 << 4;
const MSR_DSR: u8 = 1 << 5;
const MSR_RI: u8 = 1 << 6;
const MSR_DCD: u8 = 1 << 7;

/// The modem inputs, in the upper half of the modem status register: in loopback the four modem outputs, else those of a
/// connected terminal that is ready.
pub(super) fn modem_lines(modem_control: u8) -> u8 {
    if modem_control & MCR_LOOPBACK == 0 {
        return MSR_CTS | MSR_DSR | MSR_DCD;
    }
    [(MCR_RTS, MSR_CTS), (MCR_DTR, MSR_DSR), (MCR_OUT1, MSR_RI), (MCR_OUT2, MSR_DCD)]
        .into_iter()
        .filter(|(output, _)| modem_control & output != 0)
        .fold(0, |lines, (_, input)| lines | input)
}

/// The "has changed" bits that a write of the modem control register sets. The ring indicator counts only when it ends.
pub(super) fn modem_changes(old_control: u8, new_control: u8) -> u8 {
    let (old, new) = (modem_lines(old_control), modem_lines(new_control));
    let changed = old ^ new;
    let ring_ended = old & !new & MSR_RI;
    (changed & !MSR_RI | ring_ended) >> 4
}
