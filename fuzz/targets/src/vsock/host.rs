//! Programs on the host that open, write, stall and go as they like, and a guest that keeps to the rules and sees whether the
//! device does: no byte is lost, added or sent without credit.

use std::collections::BTreeMap;

use devices::virtio::vsock::{CONNECT_LINE_MAX, ConnectLine, ConnectProgress, ConnectionId};

use super::bench::{Bench, CID, HEADER, Header, PACKET, op};
use crate::input::Input;

/// How much the guest's programs may be sent ahead, in bytes.
const ROOM: u32 = 3000;
/// `VIRTIO_VSOCK_SHUTDOWN_F_*` (virtio 1.2 §5.10.6.5), both.
const BOTH: u32 = 3;

/// A connection as the guest sees it.
#[derive(Default)]
struct Socket {
    /// Bytes that came.
    received: u32,
    /// Of which its program took so many.
    taken: u32,
    /// Bytes that it sent.
    sent: u32,
    /// How many the device lets it have under way.
    credit: u32,
    /// How many the device says that it has handed on.
    handed_on: u32,
    /// No more comes.
    ended: bool,
}

/// What the host's programs do comes from the bytes, and so does when the guest does its part.
pub fn host(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut bench = Bench::new();
    let mut guest = Guest::default();
    while step(&mut input, &mut bench, &mut guest).is_some() {}
}

#[derive(Default)]
struct Guest {
    sockets: BTreeMap<ConnectionId, Socket>,
}

fn step(input: &mut Input, bench: &mut Bench, guest: &mut Guest) -> Option<()> {
    match input.u8()? % 12 {
        0 | 1 => {
            let len = usize::from(input.u8()? % 32);
            connect(bench, input.bytes(len)?);
        }
        2..=4 => change_stream(input, bench)?,
        5 => drop(bench.poll()),
        6 => bench.offer_rx(usize::from(input.u8()? % 17)),
        7 => bench.work(),
        8 | 9 => guest.receive(bench, input.bool()?),
        10 => guest.send(bench, usize::from(input.u16()?)),
        _ => guest.close(bench, input.u8()?),
    }
    Some(())
}

/// A program says its first line, in whatever words.
fn connect(bench: &mut Bench, line: &[u8]) {
    let whole = ConnectLine::default().push(line);
    let mut pieces = ConnectLine::default();
    let mut used = 0;
    let piecemeal = line.iter().find_map(|byte| {
        used += 1;
        match pieces.push(&[*byte]) {
            Ok(ConnectProgress::More) => None,
            Ok(ConnectProgress::Port { port, .. }) => {
                Some(Ok(ConnectProgress::Port { port, used }))
            }
            Err(error) => Some(Err(error)),
        }
    });
    assert_eq!(whole, piecemeal.unwrap_or(Ok(ConnectProgress::More)), "in one piece or in many");
    assert!(whole != Ok(ConnectProgress::More) || line.len() < CONNECT_LINE_MAX);
    if let Ok(ConnectProgress::Port { port, .. }) = whole {
        let end = bench.host.open();
        bench.mmio.device_mut().host_connected(end, port);
    }
}

/// A program of the host's does something.
fn change_stream(input: &mut Input, bench: &mut Bench) -> Option<()> {
    let (choice, which) = (input.u8()?, usize::from(input.u8()?));
    let streams = &mut bench.host.world().streams;
    let count = streams.len();
    let Some(stream) = streams.get_mut(which % count.max(1)) else { return Some(()) };
    match choice & 7 {
        0..=3 if !stream.eof => {
            stream.to_guest.extend((0..usize::from(choice) * 16).map(|at| at as u8));
        }
        4 => stream.eof = true,
        5 => stream.broken = true,
        6 => stream.room = 0,
        _ => stream.room = usize::from(choice) * 64,
    }
    Some(())
}

impl Guest {
    fn header(id: ConnectionId, socket: &Socket, op: u16) -> Header {
        Header {
            src_cid: CID,
            dst_cid: 2,
            src_port: id.guest_port,
            dst_port: id.host_port,
            kind: 1,
            op,
            buf_alloc: ROOM,
            fwd_cnt: socket.taken,
            ..Header::default()
        }
    }

    /// Takes all packets, and answers those that want an answer.
    fn receive(&mut self, bench: &mut Bench, accepts: bool) {
        while let Some((header, data)) = bench.receive() {
            let id = ConnectionId { host_port: header.src_port, guest_port: header.dst_port };
            match header.op {
                op::REQUEST => {
                    assert!(!self.sockets.contains_key(&id), "a name that is in use");
                    let socket = Socket { credit: header.buf_alloc, ..Socket::default() };
                    let answer = if accepts { op::RESPONSE } else { op::RST };
                    let sent = bench.send(&Self::header(id, &socket, answer).bytes());
                    // The answer to one that is lost is never given; the device asks no second time.
                    if accepts && sent {
                        self.sockets.insert(id, socket);
                    }
                    continue;
                }
                op::RST => {
                    self.sockets.remove(&id);
                    continue;
                }
                _ => {}
            }
            // The guest may have closed it meanwhile.
            let Some(socket) = self.sockets.get_mut(&id) else { continue };
            (socket.credit, socket.handed_on) = (header.buf_alloc, header.fwd_cnt);
            assert!(socket.handed_on <= socket.sent, "more than was sent");
            match header.op {
                op::RW => {
                    assert!(!socket.ended, "data after the end");
                    socket.received += data.len() as u32;
                    assert!(
                        socket.received - socket.taken <= ROOM,
                        "more than the guest has room for"
                    );
                }
                op::SHUTDOWN => socket.ended |= header.flags & 2 != 0,
                op::CREDIT_REQUEST => {
                    bench.send(&Self::header(id, socket, op::CREDIT_UPDATE).bytes());
                }
                _ => {}
            }
        }
        for (id, socket) in &mut self.sockets {
            if accepts && socket.taken != socket.received {
                socket.taken = socket.received;
                bench.send(&Self::header(*id, socket, op::CREDIT_UPDATE).bytes());
            }
        }
    }

    /// Each socket sends up to so many bytes, as far as its credit goes.
    fn send(&mut self, bench: &mut Bench, len: usize) {
        for (id, socket) in &mut self.sockets {
            let credit = socket.credit.saturating_sub(socket.sent - socket.handed_on);
            let len = len.min(PACKET - HEADER).min(credit as usize);
            let header = Header { len: len as u32, ..Self::header(*id, socket, op::RW) };
            let mut packet = header.bytes();
            packet.resize(HEADER + len, 0x55);
            if len > 0 && bench.send(&packet) {
                socket.sent += len as u32;
            }
        }
    }

    /// Says goodbye, politely or not.
    fn close(&mut self, bench: &mut Bench, choice: u8) {
        let which = usize::from(choice >> 1);
        let Some(id) = self.sockets.keys().nth(which % self.sockets.len().max(1)).copied() else {
            return;
        };
        let op = if choice & 1 == 0 { op::SHUTDOWN } else { op::RST };
        let header = Header { flags: BOTH, ..Self::header(id, &self.sockets[&id], op) };
        if bench.send(&header.bytes()) {
            self.sockets.remove(&id);
        }
    }
}
