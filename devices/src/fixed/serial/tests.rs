use std::io::{self, ErrorKind};

use proptest::prelude::*;

use super::*;
use crate::testing::Counter;
use crate::testing::uart::{self, Step};

/// An output that answers with the given results in turn, and counts how often it was asked.
struct Failing(Vec<io::Result<usize>>, Counter);

impl Write for Failing {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        self.1.raise();
        self.0.pop().unwrap_or(Ok(1))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Bench = uart::Bench<Serial>;

impl Bench {
    fn new() -> Self {
        Self::of(Serial::new)
    }

    fn get(&mut self, register: u64) -> u8 {
        let mut byte = [0];
        self.uart.read(register, &mut byte);
        byte[0]
    }

    fn put(&mut self, register: u64, value: u8) {
        assert_eq!(self.uart.write(register, &[value]), Outcome::Continue);
    }

    fn screen(&self) -> Vec<u8> {
        self.screen.shows()
    }
}

/// The steps of Linux's `autoconfig` in drivers/tty/serial/8250/8250_port.c, with what they must find for a 16550A.
#[test]
fn linux_identifies_a_16550a() {
    let mut b = Bench::new();
    b.put(INTERRUPT_ENABLE, 0);
    assert_eq!(b.get(INTERRUPT_ENABLE) & 0x0f, 0);
    b.put(INTERRUPT_ENABLE, 0x0f);
    assert_eq!(b.get(INTERRUPT_ENABLE), 0x0f, "four interrupts, and no sleep or FIFO-64 bits");
    b.put(INTERRUPT_ENABLE, 0);

    b.put(MODEM_CONTROL, 0x1a);
    assert_eq!(b.get(MODEM_STATUS) & 0xf0, 0x90, "OUT2 and RTS come back as DCD and CTS");
    b.put(MODEM_CONTROL, 0);

    b.put(LINE_CONTROL, 0xbf);
    b.put(FIFO_CONTROL, 0);
    b.put(LINE_CONTROL, 0);
    b.put(FIFO_CONTROL, FCR_ENABLE);
    assert_eq!(b.get(INTERRUPT_ID) >> 6, 3, "both FIFO bits");

    b.put(FIFO_CONTROL, 0x21);
    assert_eq!(b.get(INTERRUPT_ID) >> 5, 6, "no 64-byte FIFO: not a 16750");
}

/// `size_fifo` of the same file: a 16550A holds 16 looped-back bytes.
#[test]
fn loopback_holds_sixteen_bytes_and_sends_nothing_out() {
    let mut b = Bench::new();
    b.put(FIFO_CONTROL, 7);
    b.put(MODEM_CONTROL, MCR_LOOPBACK);
    for byte in 0..=255 {
        b.put(DATA, byte);
    }
    assert_eq!(b.get(LINE_STATUS), 0x63, "overrun, data ready, transmitter empty");
    assert_eq!(b.get(LINE_STATUS), 0x61, "overrun is reported once");
    let mut received = Vec::new();
    while b.get(LINE_STATUS) & LSR_DATA_READY != 0 {
        received.push(b.get(DATA));
    }
    assert_eq!(received, (0..16).collect::<Vec<u8>>());
    assert!(b.screen().is_empty());
}

/// `serial8250_THRE_test`: the transmitter interrupt must appear again each time it is switched on.
#[test]
fn transmitter_interrupt_comes_at_each_enable() {
    let mut b = Bench::new();
    for round in 1..=3 {
        b.put(INTERRUPT_ENABLE, IER_TRANSMITTER_EMPTY);
        assert_eq!(b.irq.count(), round);
        assert_eq!(b.get(INTERRUPT_ID), IIR_TRANSMITTER_EMPTY);
        assert_eq!(b.get(INTERRUPT_ID), IIR_NONE, "identified means acknowledged");
        b.put(INTERRUPT_ENABLE, 0);
    }
}

#[test]
fn each_sent_byte_is_out_at_once_and_interrupts() {
    let mut b = Bench::new();
    b.put(INTERRUPT_ENABLE, IER_TRANSMITTER_EMPTY);
    for (i, byte) in b"hello".iter().enumerate() {
        b.put(DATA, *byte);
        assert_eq!(b.screen(), b"hello"[..=i]);
        assert_eq!(b.irq.count(), i + 2);
        assert_eq!(b.get(LINE_STATUS), LSR_TRANSMITTER_EMPTY);
    }
}

#[test]
fn received_data_interrupts_until_it_is_read() {
    let mut b = Bench::new();
    assert_eq!(b.uart.enqueue(b"ab"), 2);
    assert_eq!(b.irq.count(), 0, "not enabled yet");
    b.put(INTERRUPT_ENABLE, IER_RECEIVED);
    assert_eq!(b.irq.count(), 1, "input from before the driver came is not forgotten");
    assert_eq!(b.get(INTERRUPT_ID), IIR_RECEIVED);
    assert_eq!(b.get(DATA), b'a');
    assert_eq!(b.get(INTERRUPT_ID), IIR_RECEIVED);
    assert_eq!(b.drained.count(), 0);
    assert_eq!(b.get(DATA), b'b');
    assert_eq!(b.get(INTERRUPT_ID), IIR_NONE);
    assert_eq!(b.drained.count(), 1);
    b.uart.enqueue(b"c");
    assert_eq!(b.irq.count(), 2);
}

#[test]
fn input_is_bounded_and_the_host_learns_of_room() {
    let mut b = Bench::new();
    assert_eq!(b.uart.enqueue(&[1; 100]), INPUT_CAPACITY);
    assert_eq!((b.uart.input_room(), b.uart.enqueue(&[2])), (0, 0));
    b.put(FIFO_CONTROL, FCR_ENABLE);
    assert_eq!((b.uart.input_room(), b.drained.count()), (INPUT_CAPACITY, 1));
    b.put(MODEM_CONTROL, MCR_LOOPBACK);
    assert_eq!((b.uart.input_room(), b.uart.enqueue(&[3])), (0, 0), "the line is cut off");
    b.put(MODEM_CONTROL, 0);
    assert_eq!((b.uart.input_room(), b.drained.count()), (INPUT_CAPACITY, 2));
}

#[test]
fn divisor_latch_hides_data_and_interrupt_enable() {
    let mut b = Bench::new();
    b.put(LINE_CONTROL, LCR_DIVISOR_LATCH);
    b.put(DATA, 0x34);
    b.put(INTERRUPT_ENABLE, 0x12);
    assert_eq!((b.get(DATA), b.get(INTERRUPT_ENABLE)), (0x34, 0x12));
    b.put(LINE_CONTROL, 3);
    assert_eq!(b.get(INTERRUPT_ENABLE), 0);
    assert!(b.screen().is_empty());
}

#[test]
fn modem_changes_are_reported_once() {
    let mut b = Bench::new();
    b.put(INTERRUPT_ENABLE, IER_MODEM_STATUS);
    b.put(MODEM_CONTROL, MCR_LOOPBACK);
    assert_eq!(b.irq.count(), 1);
    assert_eq!(b.get(INTERRUPT_ID), IIR_MODEM_STATUS);
    assert_eq!(b.get(MODEM_STATUS), 0x0b, "CTS, DSR and DCD went");
    assert_eq!(b.get(MODEM_STATUS), 0);
    assert_eq!(b.get(INTERRUPT_ID), IIR_NONE);
    b.put(MODEM_CONTROL, MCR_LOOPBACK | 0x04);
    assert_eq!(b.get(MODEM_STATUS), 0x40, "a ring that begins is no change");
    b.put(MODEM_CONTROL, MCR_LOOPBACK);
    assert_eq!(b.get(MODEM_STATUS), 0x04, "its end is");
}

#[test]
fn a_slow_output_loses_bytes_and_a_closed_one_is_left_alone() {
    let error = |kind: ErrorKind| Err(io::Error::from(kind));
    let asked = Counter::default();
    let results = vec![
        error(ErrorKind::BrokenPipe),
        error(ErrorKind::WouldBlock),
        Ok(1),
        error(ErrorKind::Interrupted),
    ];
    let out = Failing(results, asked.clone());
    let mut serial = Serial::new(Box::new(out), Box::new(Counter::default()));
    let counts: Vec<_> = (0..5)
        .map(|_| {
            serial.write(DATA, b"x");
            asked.count()
        })
        .collect();
    assert_eq!(counts, [2, 3, 4, 4, 4], "interrupted: again; would block: lost; broken: closed");
}

#[test]
fn an_output_that_is_always_interrupted_does_not_hold_the_guest() {
    let asked = Counter::default();
    let results = (0..1000).map(|_| Err(ErrorKind::Interrupted.into())).collect();
    let out = Failing(results, asked.clone());
    Serial::new(Box::new(out), Box::new(Counter::default())).write(DATA, b"x");
    assert_eq!(asked.count(), 4);
}

#[test]
fn forged_states_are_refused() {
    let mut b = Bench::new();
    let good = b.uart.save();
    let too_long = SerialState { input: vec![0; 65].into(), ..good.clone() };
    let error = b.uart.restore(&too_long).unwrap_err().to_string();
    assert_eq!(error, "saved state of serial: input is 65, but must be at most 64 bytes");
    let reserved = SerialState { interrupt_enable: 0x80, ..good.clone() };
    assert!(b.uart.restore(&reserved).is_err());
    assert_eq!(b.uart.save(), good);
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let offset = || prop_oneof![20 => 0u64..8, 1 => any::<u64>()];
    let len = || prop::sample::select(vec![1usize, 1, 1, 2, 4, 8]);
    let step = prop_oneof![
        4 => (offset(), len()).prop_map(|(offset, len)| Step::Read(offset, len)),
        6 => (offset(), any::<[u8; 8]>(), len())
            .prop_map(|(offset, bytes, len)| Step::Write(offset, bytes[..len].to_vec())),
        1 => prop::collection::vec(any::<u8>(), 0..80).prop_map(Step::Enqueue),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn save_and_restore_at_any_step_change_no_answer(steps in steps(), cut in 0usize..200) {
        let mut original = Bench::new();
        let mut copy = None::<Bench>;
        for (i, step) in steps.iter().enumerate() {
            if i == cut {
                let saved = serde_json::to_string(&original.uart.save()).unwrap();
                let mut new = Bench::new();
                new.uart.restore(&serde_json::from_str(&saved).unwrap()).unwrap();
                copy = Some(new);
            }
            let want = original.take(step);
            prop_assert!(original.uart.state.input.len() <= INPUT_CAPACITY);
            if let Some(copy) = &mut copy {
                prop_assert_eq!(copy.take(step), want);
            }
        }
    }

    /// The rule that edge-triggered lines need: a cause that was not there before never comes without an edge.
    #[test]
    fn no_cause_appears_without_an_edge(steps in steps()) {
        let mut b = Bench::new();
        for step in &steps {
            let before = b.uart.causes();
            let edges = b.take(step).edges;
            if b.uart.causes() & !before != 0 {
                prop_assert!(edges > 0, "{step:?} brought about {:#x}", b.uart.causes());
            }
        }
    }
}
