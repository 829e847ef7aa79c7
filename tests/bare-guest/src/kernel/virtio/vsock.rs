//! The socket device (virtio 1.2 §5.10): one connection to the host, a line there and back.

use super::Device;
use super::queue::{By, Queue};
use crate::kernel::dma::{PAGE, Page};
use crate::kernel::report::{Fault, Report, put};

const HOST_CID: u64 = 2;
const HOST_PORT: u32 = 1024;
const GUEST_PORT: u32 = 5000;

/// Queues.
const RECEIVE: u32 = 0;
const TRANSMIT: u32 = 1;
const EVENT: u32 = 2;

const HEADER: usize = 44;
const STREAM: u16 = 1;
const REQUEST: u16 = 1;
const RESPONSE: u16 = 2;
const RST: u16 = 3;
const SHUTDOWN: u16 = 4;
const RW: u16 = 5;
/// SHUTDOWN flags: neither receives nor sends any more.
const BOTH_WAYS: u32 = 3;

const LINE: &[u8; 25] = b"hello from the bare guest";
/// Packets that one check takes in; a peer that sends more is not an echo.
const MAX_PACKETS: usize = 32;

struct Socket<'a> {
    device: &'a Device,
    receive: Queue,
    transmit: Queue,
    inbox: Page,
    outbox: Page,
    cid: u64,
    /// Payload bytes taken in: the credit given back to the peer.
    forwarded: u32,
}

/// Connects, and, if someone listens, has a line echoed.
pub fn check(report: &mut Report, device: &Device) {
    let mut refused = false;
    report.check("vsock", |line| {
        let mut socket = Socket::new(device)?;
        put!(line, "guest CID {}, ", socket.cid);
        if socket.cid < 3 || socket.cid >> 32 != 0 {
            return Err("a reserved CID");
        }
        refused = !socket.connect()?;
        if refused {
            put!(line, "refused by the host with RST");
            return Ok(());
        }
        socket.echo()?;
        socket.close()?;
        put!(line, "{} bytes to port {HOST_PORT} and back, closed", LINE.len());
        Ok(())
    });
    if refused {
        report.skip("vsock-echo", "nobody listens at port 1024 of the host");
    }
}

impl<'a> Socket<'a> {
    fn new(device: &'a Device) -> Result<Self, Fault> {
        device.negotiate(0)?;
        let receive = device.queue(RECEIVE)?;
        let transmit = device.queue(TRANSMIT)?;
        device.queue(EVENT)?;
        device.start();
        let (inbox, outbox) = Page::take().zip(Page::take()).ok_or("out of pages")?;
        let cid = device.config(0);
        let mut socket = Self { device, receive, transmit, inbox, outbox, cid, forwarded: 0 };
        socket.offer_inbox();
        Ok(socket)
    }

    fn offer_inbox(&mut self) {
        self.receive.offer(&[(self.inbox.address(), PAGE as u32, By::Device)]);
        self.device.notify(&self.receive);
    }

    fn send(&mut self, operation: u16, flags: u32, payload: &[u8]) -> Result<(), Fault> {
        let page = &self.outbox;
        page.put(0, self.cid);
        page.put(8, HOST_CID);
        page.put(16, GUEST_PORT);
        page.put(20, HOST_PORT);
        page.put(24, payload.len() as u32);
        page.put(28, STREAM);
        page.put(30, operation);
        page.put(32, flags);
        page.put(36, (PAGE - HEADER) as u32); // buf_alloc
        page.put(40, self.forwarded); // fwd_cnt
        for (i, byte) in payload.iter().enumerate() {
            page.put(HEADER + i, *byte);
        }
        let len = (HEADER + payload.len()) as u32;
        self.transmit.offer(&[(page.address(), len, By::Driver)]);
        self.device.notify(&self.transmit);
        self.device.wait(&mut self.transmit).map(drop)
    }

    /// Waits for a packet of one of these operations; gives it with its payload's length. The packet stays in the inbox
    /// until [`Self::offer_inbox`].
    fn receive(&mut self, operations: &[u16]) -> Result<(u16, usize), Fault> {
        for _ in 0..MAX_PACKETS {
            let len = self.device.wait(&mut self.receive)?;
            let page = &self.inbox;
            let payload = page.get::<u32>(24) as usize;
            if (len as usize) < HEADER || len as usize != HEADER + payload {
                return Err("a packet whose length is wrong");
            }
            let addresses = (page.get(0), page.get(8), page.get(16), page.get(20));
            if addresses != (HOST_CID, self.cid, HOST_PORT, GUEST_PORT) {
                return Err("a packet with other addresses");
            }
            let operation = page.get(30);
            if operations.contains(&operation) {
                return Ok((operation, payload));
            }
            self.offer_inbox();
        }
        Err("packets without end")
    }

    /// False: refused.
    fn connect(&mut self) -> Result<bool, Fault> {
        self.send(REQUEST, 0, b"")?;
        let (operation, _) = self.receive(&[RESPONSE, RST])?;
        if operation == RST {
            return Ok(false);
        }
        self.offer_inbox();
        Ok(true)
    }

    fn echo(&mut self) -> Result<(), Fault> {
        self.send(RW, 0, LINE)?;
        let mut rest = &LINE[..];
        while !rest.is_empty() {
            let (operation, len) = self.receive(&[RW, RST, SHUTDOWN])?;
            if operation != RW {
                return Err("the host closes before the line came back");
            }
            let same = |i: usize| rest.get(i).copied() == Some(self.inbox.get(HEADER + i));
            if len == 0 || !(0..len).all(same) {
                return Err("the line comes back changed");
            }
            rest = &rest[len..];
            self.forwarded = self.forwarded.wrapping_add(len as u32);
            self.offer_inbox();
        }
        Ok(())
    }

    /// The peer confirms a shutdown both ways with RST (virtio 1.2 §5.10.6.5).
    fn close(&mut self) -> Result<(), Fault> {
        self.send(SHUTDOWN, BOTH_WAYS, b"")?;
        self.receive(&[RST]).map(drop)
    }
}
