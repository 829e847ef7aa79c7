//! Whatever guest and host do.

use proptest::prelude::*;

use super::*;
use crate::testing::uart::Step;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let offset = || {
        prop_oneof![
            20 => (0u64..0x14).prop_map(|register| 4 * register),
            1 => 0u64..0x1000,
            1 => any::<u64>(),
        ]
    };
    let len = || prop::sample::select(vec![1usize, 2, 4, 4, 8]);
    let write = |offset: u64, value: u64, len: usize| {
        Step::Write(offset, value.to_le_bytes()[..len].to_vec())
    };
    // Without these a random walk seldom has the receiver on, or a FIFO.
    let control = (any::<u16>(), any::<bool>()).prop_map(move |(value, loopback)| {
        let on = CR_UART_ENABLE | CR_RECEIVE_ENABLE;
        let value = if loopback { value | CR_LOOPBACK } else { value & !CR_LOOPBACK };
        write(CR, (value | on).into(), 2)
    });
    let fifo = any::<bool>()
        .prop_map(move |on| write(LCR_H, if on { LCR_H_FIFO_ENABLE.into() } else { 0 }, 1));
    let step = prop_oneof![
        6 => (offset(), len()).prop_map(|(offset, len)| Step::Read(offset, len)),
        8 => (offset(), any::<u64>(), len())
            .prop_map(move |(offset, value, len)| write(offset, value, len)),
        4 => any::<u8>().prop_map(move |byte| write(DR, byte.into(), 1)),
        2 => control,
        1 => fifo,
        3 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Enqueue),
    ];
    prop::collection::vec(step, 0..200)
}

impl Bench {
    /// Whether the host would find a receiver that is on, connected and empty.
    fn awaits_input(&mut self) -> bool {
        self.uart.input_room() > 0 && self.get(FR) as u16 & FR_RECEIVE_EMPTY != 0
    }
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
            prop_assert!(original.uart.state.fifo.len() <= FIFO_DEPTH);
            prop_assert_eq!(original.uart.state.check(), Ok(()));
            if let Some(copy) = &mut copy {
                prop_assert_eq!(copy.take(step), want);
            }
        }
    }

    /// The registers agree with each other, and with what goes out by the line: no enabled cause appears without an edge, no
    /// edge comes without one that holds, and none twice for one access to one register.
    #[test]
    fn edges_and_wakes_follow_from_the_registers(steps in steps()) {
        let mut b = Bench::new();
        for step in &steps {
            let (before, awaited) = (b.get(MIS), b.awaits_input());
            let seen = b.take(step);
            let (raw, masked) = (b.get(RIS), b.get(MIS));
            prop_assert_eq!(masked, raw & b.get(IMSC));
            let received = b.get(FR) as u16 & FR_RECEIVE_EMPTY == 0;
            prop_assert_eq!(raw as u16 & INT_RECEIVE_TIMEOUT != 0, received);
            if masked & !before != 0 {
                prop_assert!(seen.edges > 0, "{step:?} brought about {masked:#x}");
            }
            let wide = matches!(step, Step::Read(_, 8)) || matches!(step, Step::Write(_, bytes) if bytes.len() == 8);
            if !wide {
                prop_assert!(seen.edges <= 1);
                prop_assert!(seen.edges == 0 || masked != 0, "{step:?} interrupted for nothing");
                prop_assert_eq!(seen.wakes, usize::from(b.awaits_input() && !awaited));
            }
            if let Step::Enqueue(_) = step && seen.answer != [0] {
                let cause = (INT_RECEIVE | INT_RECEIVE_TIMEOUT) as u32;
                prop_assert_eq!(seen.edges > 0, masked & cause != 0);
            }
        }
    }
}
