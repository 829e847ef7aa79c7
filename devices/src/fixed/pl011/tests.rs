mod linux;
mod properties;

use super::*;
use crate::testing::uart;

type Bench = uart::Bench<Pl011>;

impl Bench {
    fn new() -> Self {
        Self::of(Pl011::new)
    }

    /// One whose receiver is on, with this FIFO control.
    fn receiving(line_control: u8) -> Self {
        let mut b = Self::new();
        b.put(LCR_H, line_control.into());
        b.put(CR, CR_UART_ENABLE | CR_TRANSMIT_ENABLE | CR_RECEIVE_ENABLE);
        b
    }

    fn get(&mut self, register: u64) -> u32 {
        let mut word = [0; 4];
        self.uart.read(register, &mut word);
        u32::from_le_bytes(word)
    }

    fn put(&mut self, register: u64, value: u16) {
        assert_eq!(self.uart.write(register, &value.to_le_bytes()), Outcome::Continue);
    }

    fn interrupts(&mut self) -> u16 {
        self.get(RIS) as u16
    }

    fn edges(&self) -> usize {
        self.irq.count()
    }
}

/// Linux's AMBA bus reads four words of each, and matches them with the driver's table.
#[test]
fn identifies_itself_as_an_arm_pl011_with_a_32_byte_fifo() {
    let mut b = Bench::new();
    let mut id = |first: u64| {
        (0..4).fold(0, |id, i| {
            let byte = b.get(first + 4 * i);
            assert!(byte < 0x100);
            id | byte << (8 * i as u32)
        })
    };
    assert_eq!(id(0xfe0), 0x0034_1011, "revision 3, which has the deep FIFO");
    assert_eq!(id(0xff0), 0xb105_f00d);
}

/// Arm DDI 0183G, table 3-1.
#[test]
fn registers_have_their_values_after_reset() {
    let mut b = Bench::receiving(0x70);
    for register in [ILPR, IBRD, FBRD, IFLS, IMSC, DMACR] {
        b.put(register, 0xffff);
    }
    let widths = [ILPR, IBRD, FBRD, IFLS, IMSC, DMACR].map(|register| b.get(register));
    assert_eq!(widths, [0xff, 0xffff, 0x3f, 0x3f, 0x7ff, 7]);
    b.uart.reset();
    let values = [DR, RSR_ECR, ILPR, IBRD, FBRD, LCR_H, CR, IFLS, IMSC, RIS, MIS, ICR, DMACR];
    let values = values.map(|register| b.get(register));
    assert_eq!(values, [0, 0, 0, 0, 0, 0, 0x300, 0x12, 0, 0, 0, 0, 0]);
    assert_eq!(b.get(FR), 0b1001_0111, "both FIFOs empty, and a terminal that is ready");
}

#[test]
fn each_sent_byte_is_out_at_once_and_interrupts() {
    let mut b = Bench::new();
    b.put(IMSC, INT_TRANSMIT);
    assert_eq!(b.edges(), 0, "nothing has gone out yet (§2.8.3)");
    for (i, byte) in b"hello".iter().enumerate() {
        b.put(DR, (*byte).into());
        assert_eq!(b.screen.shows(), b"hello"[..=i]);
        assert_eq!(b.edges(), i + 1);
        assert_eq!(b.get(FR) & 0b1010_1000, 0b1000_0000, "empty, not full, not busy");
    }
    b.put(IMSC, 0);
    b.put(IMSC, INT_TRANSMIT);
    assert_eq!(b.edges(), 6, "it is still there when it is enabled again");
    b.put(ICR, INT_TRANSMIT);
    b.put(IMSC, 0);
    b.put(IMSC, INT_TRANSMIT);
    assert_eq!(b.edges(), 6, "cleared is cleared");
}

#[test]
fn received_bytes_time_out_at_once_and_interrupt_at_the_level() {
    let mut b = Bench::receiving(LCR_H_FIFO_ENABLE);
    for (levels, level) in [(0, 4), (1, 8), (2, 16), (3, 24), (4, 28)] {
        b.put(IFLS, levels << 3);
        let input: Vec<u8> = (0..level).collect();
        assert_eq!(b.uart.enqueue(&input[1..]), input.len() - 1);
        assert_eq!(b.interrupts(), INT_RECEIVE_TIMEOUT);
        assert_eq!(b.uart.enqueue(&[0]), 1);
        assert_eq!(b.interrupts(), INT_RECEIVE_TIMEOUT | INT_RECEIVE);
        b.get(DR);
        assert_eq!(b.interrupts(), INT_RECEIVE_TIMEOUT);
        (2..level).for_each(|_| assert_ne!(b.get(DR), 0));
        assert_eq!(b.interrupts(), INT_RECEIVE_TIMEOUT);
        assert_eq!(b.get(DR), 0);
        assert_eq!((b.interrupts(), b.get(FR) & 0x50), (0, 0x10));
    }
    assert_eq!(b.edges(), 0, "nothing of that was enabled");
}

#[test]
fn clearing_receive_interrupts_loses_no_input() {
    let mut b = Bench::receiving(LCR_H_FIFO_ENABLE);
    b.put(IMSC, INT_RECEIVE | INT_RECEIVE_TIMEOUT);
    b.uart.enqueue(&[b'x'; 20]);
    assert_eq!((b.interrupts(), b.edges()), (INT_RECEIVE_TIMEOUT | INT_RECEIVE, 1));
    b.put(ICR, INT_RECEIVE);
    assert_eq!(
        (b.interrupts(), b.edges()),
        (INT_RECEIVE_TIMEOUT, 1),
        "it tells of the way up only"
    );
    b.put(ICR, INT_RECEIVE_TIMEOUT);
    assert_eq!((b.interrupts(), b.edges()), (INT_RECEIVE_TIMEOUT, 2), "it comes again");
    b.uart.enqueue(b"y");
    assert_eq!(b.edges(), 3, "each input interrupts");
}

#[test]
fn the_host_keeps_its_input_until_the_receiver_is_on_and_has_room() {
    let mut b = Bench::new();
    assert_eq!((b.uart.input_room(), b.uart.enqueue(b"early")), (0, 0));
    b.put(CR, CR_UART_ENABLE | CR_RECEIVE_ENABLE);
    assert_eq!((b.uart.input_room(), b.drained.count()), (1, 1), "no FIFO yet");
    assert_eq!(b.uart.enqueue(b"early"), 1);
    assert_eq!((b.interrupts(), b.get(FR) & 0x50), (INT_RECEIVE | INT_RECEIVE_TIMEOUT, 0x40));
    b.put(LCR_H, LCR_H_FIFO_ENABLE.into());
    assert_eq!((b.uart.input_room(), b.interrupts()), (31, INT_RECEIVE_TIMEOUT));
    assert_eq!(b.uart.enqueue(&[0; 64]), 31);
    assert_eq!((b.uart.input_room(), b.get(FR) & 0x50), (0, 0x40));
    b.put(LCR_H, 0);
    assert_eq!(b.get(DR), u32::from(b'e'), "switching the FIFO off empties only the transmitter's");
    (1..32).for_each(|_| assert_eq!(b.get(DR), 0));
    assert_eq!((b.uart.input_room(), b.drained.count()), (1, 2));
    b.put(CR, CR_UART_ENABLE);
    b.put(CR, CR_RECEIVE_ENABLE);
    assert_eq!((b.uart.input_room(), b.drained.count()), (0, 2));
}

#[test]
fn loopback_holds_32_bytes_sends_nothing_out_and_tells_of_an_overrun() {
    let mut b = Bench::receiving(LCR_H_FIFO_ENABLE);
    b.put(CR, CR_LOOPBACK | CR_UART_ENABLE | CR_RECEIVE_ENABLE);
    b.put(IMSC, INT_OVERRUN);
    assert_eq!(b.uart.enqueue(b"x"), 0, "the line is cut off");
    (0..40).for_each(|byte| b.put(DR, byte));
    assert_eq!((b.get(RSR_ECR), b.edges()), (8, 1), "known at once");
    b.put(RSR_ECR, 0);
    b.put(ICR, INT_OVERRUN);
    assert_eq!((b.get(RSR_ECR), b.get(MIS)), (0, 0));
    assert_eq!(b.get(DR), 0);
    b.put(DR, 99);
    b.put(IMSC, 0);
    let received: Vec<u32> = (1..33).map(|_| b.get(DR)).collect();
    let mut sent: Vec<u32> = (1..32).collect();
    sent.push(0x800 | 99);
    assert_eq!(received, sent, "the byte after the gap is marked");
    assert!(b.screen.shows().is_empty());
}

#[test]
fn modem_lines_come_back_in_loopback_and_each_change_interrupts() {
    let mut b = Bench::new();
    b.put(IMSC, INT_MODEM);
    b.put(CR, CR_LOOPBACK);
    assert_eq!((b.get(FR) & 0x107, b.get(MIS), b.edges()), (0, 0b1110, 1), "all are down");
    b.put(ICR, INT_MODEM);
    for (bit, flag, interrupt) in [(10, 1, 3), (11, 0, 1), (12, 2, 2), (13, 8, 0)] {
        b.put(CR, CR_LOOPBACK | 1 << bit);
        assert_eq!((b.get(FR) & 0x107, b.get(MIS)), (1 << flag, 1 << interrupt));
        b.put(CR, CR_LOOPBACK);
        b.put(ICR, INT_MODEM);
    }
    assert_eq!(b.edges(), 5);
}

#[test]
fn registers_answer_at_their_own_offsets_in_every_width() {
    let mut b = Bench::new();
    b.uart.write(IBRD, &[0x34, 0x12, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    let mut both = [0xaa; 8];
    b.uart.read(IBRD, &mut both);
    assert_eq!(both, [0x34, 0x12, 0, 0, 0x3f, 0, 0, 0], "two neighbours");
    let mut bytes = [0xaa; 3];
    b.uart.read(IBRD, &mut bytes[..1]);
    b.uart.read(IBRD + 1, &mut bytes[1..2]);
    b.uart.read(u64::MAX, &mut bytes[2..]);
    assert_eq!(bytes, [0x34, 0, 0]);
    b.uart.write(IBRD, &[0x56]);
    b.uart.write(IBRD + 1, &[0x78, 0]);
    assert_eq!(b.get(IBRD), 0x56);
}

#[test]
fn forged_states_are_refused() {
    let mut b = Bench::new();
    let good = b.uart.save();
    for (bad, field) in [
        (Pl011State { fifo: vec![0; 33].into(), ..good.clone() }, "fifo is 33"),
        (Pl011State { fifo: vec![0x100].into(), ..good.clone() }, "fifo is 256"),
        (Pl011State { receive_status: 1, ..good.clone() }, "receive_status is 1"),
        (Pl011State { fbrd: 0x40, ..good.clone() }, "fbrd is 64"),
        (Pl011State { cr: 8, ..good.clone() }, "cr is 8"),
        (Pl011State { ifls: 0x40, ..good.clone() }, "ifls is 64"),
        (Pl011State { imsc: 0x800, ..good.clone() }, "imsc is 2048"),
        (Pl011State { latched: INT_RECEIVE_TIMEOUT, ..good.clone() }, "latched is 64"),
        (Pl011State { latched: INT_RECEIVE, ..good.clone() }, "latched is 16"),
        (Pl011State { dmacr: 8, ..good.clone() }, "dmacr is 8"),
    ] {
        let error = b.uart.restore(&bad).unwrap_err().to_string();
        assert!(error.starts_with(&format!("saved state of pl011: {field}, ")), "{error}");
    }
    assert_eq!(b.uart.save(), good);
}
