//! A guest's driver and its sockets, which check all that the device does.

use std::collections::{HashMap, VecDeque};

use zerocopy::{FromBytes, IntoBytes};

use super::rings::Ring;
use crate::testing::vsock::Host;
use crate::virtio::ImmediateDevice;
use crate::virtio::vsock::packet::{HEADER_LEN, HOST_CID, Header, TYPE_STREAM, op, shutdown};
use crate::virtio::vsock::{BUF_ALLOC, ConnectionId, Vsock};
use crate::{GuestMemory, testing};

pub const CID: u64 = 7;

/// A socket of the guest's.
#[derive(Default, Debug)]
pub struct Socket {
    pub open: bool,
    pub reset: bool,
    /// The host's shutdown flags.
    pub host_ended: u32,
    ended: u32,
    buf_alloc: u32,
    pub received: Vec<u8>,
    /// How many of `received` the program has read.
    pub read: u32,
    pub sent: u32,
    host_alloc: u32,
    host_forwarded: u32,
}

impl Socket {
    /// How many bytes the host has room for.
    pub fn room(&self) -> u32 {
        self.host_alloc - self.sent.wrapping_sub(self.host_forwarded)
    }
}

pub struct Guest {
    pub mem: GuestMemory,
    pub rx: Ring,
    pub tx: Ring,
    pub event: Ring,
    pub sockets: HashMap<ConnectionId, Socket>,
    /// Packets that wait for a tx buffer.
    pub outbox: VecDeque<(Header, Vec<u8>)>,
    /// Packets for no socket.
    pub strays: Vec<Header>,
    /// Whether it accepts what the host asks for.
    pub accepts: bool,
    /// Receive buffer of its sockets.
    pub buf_alloc: u32,
}

impl Guest {
    /// A guest with so many rx buffers, of so many bytes.
    pub fn new(rx_buffers: u16, rx_len: u32, split: u32) -> Self {
        let rx_size = Ring::footprint(rx_buffers, rx_len).next_multiple_of(0x1000);
        let (tx_buffers, tx_len) = (16, HEADER_LEN + BUF_ALLOC);
        let tx_size = Ring::footprint(tx_buffers, tx_len).next_multiple_of(0x1000);
        let mem = testing::memory((rx_size + tx_size + 0x20000) as usize);
        Self {
            rx: Ring::new(&mem, 0, rx_buffers, rx_len, split, true),
            tx: Ring::new(&mem, rx_size, tx_buffers, tx_len, split, false),
            event: Ring::new(&mem, rx_size + tx_size, 2, 8, 3, true),
            mem,
            sockets: HashMap::new(),
            outbox: VecDeque::new(),
            strays: Vec::new(),
            accepts: true,
            buf_alloc: 256 * 1024,
        }
    }

    /// What a notification makes the device do.
    pub fn kick(&mut self, vsock: &mut Vsock<Host>) {
        let mut queues = [&mut self.rx, &mut self.tx, &mut self.event]
            .map(|ring| std::mem::replace(&mut ring.queue, crate::virtio::queue::Queue::new(2)));
        vsock.process(1, &mut queues, &self.mem).unwrap();
        let [rx, tx, event] = queues;
        (self.rx.queue, self.tx.queue, self.event.queue) = (rx, tx, event);
    }

    pub fn offer_rx(&mut self, count: usize) {
        for _ in 0..count.min(self.rx.free()) {
            self.rx.offer(&self.mem, &[]);
        }
    }

    pub fn header(&self, id: ConnectionId, op: u16) -> Header {
        let socket = self.sockets.get(&id);
        Header {
            src_cid: CID.into(),
            dst_cid: HOST_CID.into(),
            src_port: id.guest_port.into(),
            dst_port: id.host_port.into(),
            socket_type: TYPE_STREAM.into(),
            op: op.into(),
            buf_alloc: socket.map_or(0, |socket| socket.buf_alloc).into(),
            fwd_cnt: socket.map_or(0, |socket| socket.read).into(),
            ..Header::default()
        }
    }

    pub fn send_control(&mut self, id: ConnectionId, op: u16) {
        self.outbox.push_back((self.header(id, op), Vec::new()));
    }

    pub fn connect(&mut self, id: ConnectionId) {
        self.sockets.insert(id, Socket { buf_alloc: self.buf_alloc, ..Socket::default() });
        self.send_control(id, op::REQUEST);
    }

    /// Sends what the host has room for; says how much that was.
    pub fn send(&mut self, id: ConnectionId, data: &[u8]) -> usize {
        let Some(socket) = self.sockets.get_mut(&id).filter(|s| s.open && s.ended & 2 == 0) else {
            return 0;
        };
        let len = data.len().min(socket.room() as usize);
        socket.sent = socket.sent.wrapping_add(len as u32);
        let mut header = self.header(id, op::RW);
        header.len = (len as u32).into();
        self.outbox.push_back((header, data[..len].to_vec()));
        len
    }

    /// The program reads up to `len` bytes.
    pub fn read(&mut self, id: ConnectionId, len: u32) {
        let socket = self.sockets.get_mut(&id).unwrap();
        let len = len.min(socket.received.len() as u32 - socket.read);
        socket.read += len;
        if len > 0 && !socket.reset {
            self.send_control(id, op::CREDIT_UPDATE);
        }
    }

    pub fn shut_down(&mut self, id: ConnectionId, flags: u32) {
        let socket = self.sockets.get_mut(&id).unwrap();
        if !socket.open || socket.reset || socket.ended & flags == flags {
            return;
        }
        socket.ended |= flags;
        let mut header = self.header(id, op::SHUTDOWN);
        header.flags = flags.into();
        self.outbox.push_back((header, Vec::new()));
    }

    /// Moves packets both ways; says how many.
    pub fn exchange(&mut self) -> usize {
        let mut moved = 0;
        while let Some(bytes) = self.rx.take(&self.mem) {
            let (header, data) = Header::read_from_prefix(&bytes).unwrap();
            assert_eq!(header.len.get() as usize, data.len());
            self.take(&header, data);
            moved += 1;
        }
        while self.tx.take(&self.mem).is_some() {}
        while self.tx.free() > 0
            && let Some((header, data)) = self.outbox.pop_front()
        {
            self.tx.offer(&self.mem, &[header.as_bytes(), &data].concat());
            moved += 1;
        }
        moved
    }

    fn take(&mut self, header: &Header, data: &[u8]) {
        assert_eq!((header.src_cid.get(), header.dst_cid.get()), (HOST_CID, CID));
        let id =
            ConnectionId { host_port: header.src_port.get(), guest_port: header.dst_port.get() };
        if header.op.get() == op::REQUEST {
            assert!(!self.sockets.contains_key(&id), "the name is taken");
            if !self.accepts {
                return self.send_control(id, op::RST);
            }
            let socket = Socket { buf_alloc: self.buf_alloc, open: true, ..Socket::default() };
            self.sockets.insert(id, socket);
            self.send_control(id, op::RESPONSE);
        }
        let Some(socket) = self.sockets.get_mut(&id).filter(|socket| !socket.reset) else {
            return self.strays.push(*header);
        };
        if header.op.get() == op::RST {
            socket.reset = true;
            return;
        }
        assert_eq!((header.socket_type.get(), header.buf_alloc.get()), (TYPE_STREAM, BUF_ALLOC));
        (socket.host_alloc, socket.host_forwarded) = (BUF_ALLOC, header.fwd_cnt.get());
        assert!(socket.sent.wrapping_sub(socket.host_forwarded) <= BUF_ALLOC, "bytes never sent");
        match header.op.get() {
            op::REQUEST | op::CREDIT_UPDATE => {}
            op::RESPONSE => assert!(!std::mem::replace(&mut socket.open, true)),
            op::RW => {
                assert!(socket.open && socket.host_ended & shutdown::SEND == 0 && !data.is_empty());
                socket.received.extend(data);
                let unread = socket.received.len() as u32 - socket.read;
                assert!(unread <= socket.buf_alloc, "credit exceeded");
            }
            op::SHUTDOWN => socket.host_ended |= header.flags.get(),
            op::CREDIT_REQUEST => self.send_control(id, op::CREDIT_UPDATE),
            other => panic!("operation {other}"),
        }
    }
}
