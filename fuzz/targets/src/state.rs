//! Saved states of devices, which may come from a damaged or forged snapshot.

use std::time::Duration;

use devices::fixed::acpi_power::AcpiPower;
use devices::fixed::clock::RealTimeClock;
use devices::fixed::i8042::I8042;
use devices::fixed::pl011::Pl011;
use devices::fixed::pl031::Pl031;
use devices::fixed::rtc::Rtc;
use devices::fixed::serial::Serial;
use devices::fixed::uart::Uart;
use devices::virtio::ImmediateDevice;
use devices::virtio::block::Block;
use devices::virtio::mmio::Mmio;
use devices::virtio::net::{Link, Net};
use devices::virtio::rng::{Entropy, Rng};
use devices::virtio::vsock::Vsock;
use devices::{Device, Registers};

use crate::driver::{is_reachable, status};
use crate::input::Input;
use crate::kernel::check_refusal;
use devices::testing::net::Peer;
use devices::testing::vsock::Host;
use devices::testing::{Counter, Hand, Screen, memory};

/// How far the registers of any of them reach, in bytes.
const REGISTERS: u64 = 0x200;

struct Zeros;

impl Entropy for Zeros {
    fn fill(&mut self, buf: &mut [u8]) -> std::io::Result<()> {
        buf.fill(0);
        Ok(())
    }
}

/// A device's number, and a state as JSON: it is refused, or the device goes on with it.
pub fn state(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let Some(which) = input.u8() else { return };
    let json = input.rest();
    let line = || Box::new(Counter::default());
    let (screen, hand) = (|| Box::new(Screen::default()), Hand::at(1 << 30));
    match which % 10 {
        0 => restore(I8042::new(), json, touch),
        1 => restore(AcpiPower::new(), json, touch),
        2 => restore(Serial::new(screen(), line()), json, type_and_touch),
        3 => restore(Pl011::new(screen(), line()), json, type_and_touch),
        4 => restore(Rtc::new(Box::new(hand.clone()), line()), json, |rtc| {
            wait_and_touch(rtc, &hand)
        }),
        5 => restore(Pl031::new(Box::new(hand.clone()), line()), json, |rtc| {
            wait_and_touch(rtc, &hand)
        }),
        6 => restore(
            Mmio::new(Rng::new(Box::new(Zeros)), memory(0x4000), line(), line()),
            json,
            notify,
        ),
        7 => {
            let vsock = Vsock::new(3, Host::with_room(0));
            restore(Mmio::new(vsock, memory(0x4000), line(), line()), json, notify);
        }
        8 => {
            let block = Block::new(1 << 16, "fuzz", false);
            restore(Mmio::new(block, memory(0x4000), line(), line()), json, touch);
        }
        _ => {
            let net = Net::new(&Link::default(), Peer::with_offloads(0));
            restore(Mmio::new(net, memory(0x4000), line(), line()), json, notify);
        }
    }
}

fn restore<D: Device>(mut device: D, json: &[u8], then: impl FnOnce(&mut D)) {
    let Ok(state) = serde_json::from_slice::<D::State>(json) else { return };
    let before = device.save();
    match device.restore(&state) {
        Ok(()) => {
            assert_eq!(device.save(), state);
            device.resume();
            then(&mut device);
            device.pause();
            let state = device.save();
            assert_eq!(device.restore(&state), Ok(()), "a state that it has come to");
            device.reset();
        }
        Err(error) => {
            check_refusal(&error);
            assert_eq!(device.save(), before, "as it was");
        }
    }
}

/// Reads and writes every register.
fn touch(device: &mut impl Registers) {
    for offset in 0..REGISTERS {
        for len in [1, 2, 4, 8] {
            device.read(offset, &mut [0; 8][..len]);
            device.write(offset, &[0xff; 8][..len]);
            device.write(offset, &[0; 8][..len]);
        }
    }
}

fn type_and_touch<D: Uart>(uart: &mut D) {
    let room = uart.input_room();
    assert_eq!(uart.enqueue(&[b'x'; 300]), room);
    touch(uart);
}

fn wait_and_touch<D: RealTimeClock>(clock: &mut D, hand: &Hand) {
    for nanos in [hand.nanos(), 0, u64::MAX] {
        hand.set(nanos);
        clock.tick();
        assert!(clock.next_event().is_none_or(|wait| wait <= Duration::from_secs(1 << 48)));
        touch(clock);
    }
}

fn notify<D: ImmediateDevice>(mmio: &mut Mmio<D>) {
    for queue in 0..3 {
        let _ = mmio.notify(queue);
    }
    let status = status(mmio);
    assert!(is_reachable(status), "{status:#x}");
    touch(mmio);
}
