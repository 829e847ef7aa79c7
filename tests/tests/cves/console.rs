//! The console.

use devices::fixed::pl011::Pl011;
use devices::fixed::serial::Serial;
use devices::fixed::uart::Uart;
use devices::testing::Counter;
use devices::{Device, Registers};

/// What a host's program writes to the console of a guest that reads nothing of it, in bytes.
const FLOOD: usize = 8 << 20;

/// Firecracker's serial port took all that came on stdin, whether the guest read it or not, and grew with it. Ours takes what a
/// chip's FIFO would hold; the rest stays in the pipe of whoever writes (`hypervisor/src/console/input.rs`).
#[test]
fn cve_2020_27174_a_guest_that_reads_nothing_makes_no_buffer_grow() {
    let mut serial = Serial::new(Box::new(std::io::sink()), Box::new(Counter::default()));
    assert!(flood(&mut serial) <= 64);
    assert!(serde_json::to_vec(&serial.save()).unwrap().len() < 1024);

    let mut pl011 = Pl011::new(Box::new(std::io::sink()), Box::new(Counter::default()));
    assert_eq!(flood(&mut pl011), 0, "the receiver is off");
    // UARTCR: UARTEN and RXE (PL011 TRM §3.3.8).
    pl011.write(0x30, &0x201_u32.to_le_bytes());
    let taken = flood(&mut pl011);
    assert!(0 < taken && taken <= 64, "{taken}");
    assert!(serde_json::to_vec(&pl011.save()).unwrap().len() < 1024);
}

/// How much of it the port takes.
fn flood(uart: &mut impl Uart) -> usize {
    let piece = [b'x'; 4096];
    (0..FLOOD / piece.len()).map(|_| uart.enqueue(&piece)).sum()
}
