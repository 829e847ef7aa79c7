use std::io;

use super::*;
use crate::virtio::vsock::{Backend, ConnectionId, Interest, Vsock};

const CID: u64 = 3;
const RX: usize = 0;
const TX: u32 = 1;
const EVENT: usize = 2;

const REQUEST: u16 = 1;
const RW: u16 = 5;

/// A host that takes every connection and whatever comes, and says nothing.
struct Quiet;

impl Backend for Quiet {
    type Stream = ();

    fn connect(&mut self, _: u32, _: ConnectionId) -> io::Result<()> {
        Ok(())
    }

    fn read(&mut self, _: &mut (), _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn write(&mut self, _: &mut (), buf: &[u8]) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn shutdown_write(&mut self, _: &mut ()) {}

    fn set_interest(&mut self, _: &mut (), _: ConnectionId, _: Interest) {}
}

impl Bench<Vsock<Quiet>> {
    /// Offers a buffer for the answer, sends a packet from port 5 to port 1024 of the host, and notes what comes.
    fn send(&mut self, op: u16, payload: &[u8]) {
        let packet = [
            &CID.to_le_bytes()[..],
            &2_u64.to_le_bytes(),
            &5_u32.to_le_bytes(),
            &1024_u32.to_le_bytes(),
            &(payload.len() as u32).to_le_bytes(),
            &1_u16.to_le_bytes(),
            &op.to_le_bytes(),
            &0_u32.to_le_bytes(),
            &0x10000_u32.to_le_bytes(),
            &0_u32.to_le_bytes(),
            payload,
        ]
        .concat();
        self.set_data(0x100, &packet);
        self.offer(RX, &[(DATA_AT, 64, true)]);
        self.offer(TX as usize, &[(DATA_AT + 0x100, packet.len() as u32, false)]);
        self.notify(TX);
    }
}

/// The connection does not outlive the snapshot, and the driver is told.
#[test]
fn vsock() {
    check(
        "vsock.json",
        include_str!("vsock.json"),
        || immediate(Vsock::new(CID, Quiet)),
        |bench| {
            bench.send(REQUEST, &[]);
            bench.send(RW, b"before");
            bench.machine.mmio.device_mut().host_connected((), 80).unwrap();
        },
        |bench| {
            bench.note_registers();
            bench.note_progress();
            bench.send(RW, b"after");
            bench.offer(EVENT, &[(DATA_AT, 8, true)]);
            bench.notify(EVENT as u32);
            let mmio = &mut bench.machine.mmio;
            let id = mmio.with_device(|vsock, queues, mem| {
                let id = vsock.host_connected((), 80);
                vsock.work(queues, mem).map(|()| id)
            });
            bench.note("connection of a program of the host's", id);
            bench.offer(RX, &[(DATA_AT, 64, true)]);
            bench.notify(RX as u32);
        },
    );
}
