//! A guest that sends packets as it likes.

use devices::Device;
use devices::virtio::vsock::BUF_ALLOC;

use super::bench::{Bench, CID, Header};
use crate::input::Input;

/// Any packets, in any order, at any pace.
pub fn guest(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut bench = Bench::new();
    while step(&mut input, &mut bench).is_some() {}
}

fn step(input: &mut Input, bench: &mut Bench) -> Option<()> {
    match input.u8()? % 16 {
        0..=6 => {
            let packet = packet(input)?;
            bench.send(&packet);
        }
        7 => {
            let len = usize::from(input.u8()?);
            bench.send(input.bytes(len)?);
        }
        8 => bench.offer_rx(usize::from(input.u8()? % 17)),
        9 | 10 => bench.work(),
        11 => drop(bench.poll()),
        12 => while bench.receive().is_some() {},
        13 => {
            bench.mmio.pause();
            let state = bench.mmio.save();
            bench.mmio.restore(&state).expect("a device can be in the state that it saved");
            bench.mmio.resume();
        }
        _ => change_stream(input, bench)?,
    }
    Some(())
}

/// A packet that is nearly right: few ports, so that several hit the same connection.
fn packet(input: &mut Input) -> Option<Vec<u8>> {
    let (op, ports) = (input.u8()?, input.u8()?);
    let odd = input.u8()?;
    let unless = |bit: u8, usual: u64, other: u64| if odd & bit == 0 { usual } else { other };
    let len = usize::from(if odd & 0x40 == 0 { input.u8()?.into() } else { input.u16()? & 0x3ff });
    let header = Header {
        src_cid: unless(1, CID, 7),
        dst_cid: unless(2, 2, u64::MAX),
        src_port: u32::from(ports & 3),
        dst_port: if odd & 8 == 0 {
            u32::from(ports >> 4 & 3)
        } else {
            1 << 30 | u32::from(ports >> 6)
        },
        len: if odd & 0x10 == 0 { len as u32 } else { input.number()? as u32 },
        kind: unless(4, 1, 2) as u16,
        op: u16::from(op & 15),
        flags: u32::from(op >> 4),
        buf_alloc: if odd & 0x20 == 0 { BUF_ALLOC } else { input.u32()? },
        fwd_cnt: if odd & 0x80 == 0 { 0 } else { input.u32()? },
    };
    let mut packet = header.bytes();
    packet.resize(packet.len() + len, ports);
    Some(packet)
}

/// A program on the host does something, or another one comes.
fn change_stream(input: &mut Input, bench: &mut Bench) -> Option<()> {
    let (choice, which) = (input.u8()?, usize::from(input.u8()?));
    if choice & 7 == 0 {
        let end = bench.host.open();
        bench.mmio.device_mut().host_connected(end, which as u32 & 3);
        return Some(());
    }
    let streams = &mut bench.host.world().streams;
    let count = streams.len();
    let Some(stream) = streams.get_mut(which % count.max(1)) else { return Some(()) };
    match choice & 7 {
        1 | 2 => stream.to_guest.extend(vec![choice; usize::from(choice) * 8]),
        3 => stream.eof = true,
        4 => stream.failed = true,
        5 => stream.broken = true,
        6 => stream.room = 0,
        _ => stream.room = usize::from(choice) * 64,
    }
    Some(())
}
