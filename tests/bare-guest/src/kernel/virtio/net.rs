//! The network device (virtio 1.2 §5.1): frames to a peer that sends each of them back.

use super::Device;
use super::queue::{By, Queue};
use crate::kernel::dma::{PAGE, Page};
use crate::kernel::report::{Fault, Line, put};

/// Feature bits (virtio 1.2 §5.1.3).
const MTU: u32 = 1 << 3;
const MAC: u32 = 1 << 5;
const MRG_RXBUF: u32 = 1 << 15;
const STATUS: u32 = 1 << 16;

/// Queues.
const RECEIVE: u32 = 0;
const TRANSMIT: u32 = 1;

/// Length of a packet's header (virtio 1.2 §5.1.6), and where it says over how many buffers a packet is spread.
const HEADER: usize = 12;
const BUFFERS: usize = 10;
/// VIRTIO_NET_HDR_F_NEEDS_CSUM.
const NEEDS_CSUM: u8 = 1;

/// An Ethernet header: two addresses and a type (IEEE 802.3 §3.1).
const ETHERNET: usize = 14;
/// The shortest frame, without its check sequence (IEEE 802.3 §3.2.8).
const SHORTEST: usize = 60;
/// What a link carries that says nothing else (IEEE 802.3 §3.2.7).
const USUAL_MTU: u16 = 1500;
/// An EtherType for experiments (IEEE 802 §9.2.4), as it is sent.
const EXPERIMENT: u16 = 0x88b5u16.to_be();
/// The guest's address where the device gives it none: an individual one of local meaning.
const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];

struct Interface<'a> {
    device: &'a Device,
    receive: Queue,
    transmit: Queue,
    inbox: Page,
    outbox: Page,
    address: [u8; 6],
}

/// Sends a short frame and one as long as the link carries, and has them come back; between them one that must not go.
pub fn check(line: &mut Line, device: &Device) -> Result<(), Fault> {
    let features = device.negotiate(MTU | MAC | MRG_RXBUF | STATUS)?;
    let (receive, transmit) = (device.queue(RECEIVE)?, device.queue(TRANSMIT)?);
    device.start();
    let (inbox, outbox) = Page::take().zip(Page::take()).ok_or("out of pages")?;
    let bytes = device.config(0).to_le_bytes();
    let [a, b, c, d, e, f, status, _] = bytes;
    let given = [a, b, c, d, e, f];
    let address = if features & MAC != 0 { given } else { OWN };
    put!(line, "MAC {:012x}, ", u64::from_be_bytes(bytes) >> 16);
    if address[0] & 1 != 0 {
        return Err("the address of a group");
    }
    if features & STATUS != 0 && status & 1 == 0 {
        return Err("the link is down");
    }
    // Behind the number of queue pairs.
    let mtu = if features & MTU != 0 { (device.config(8) >> 16) as u16 } else { USUAL_MTU };
    put!(line, "MTU {mtu}, ");
    let longest = ETHERNET + usize::from(mtu);
    if !(SHORTEST..=PAGE - HEADER).contains(&longest) {
        return Err("a link of no use");
    }
    let mut interface = Interface { device, receive, transmit, inbox, outbox, address };
    interface.there_and_back(SHORTEST)?;
    // Nobody has agreed to complete a checksum: it would come back before the next.
    interface.send(SHORTEST, NEEDS_CSUM)?;
    interface.there_and_back(longest)?;
    put!(line, "frames of {SHORTEST} and {longest} bytes there and back");
    Ok(())
}

impl Interface<'_> {
    /// A frame of this length, in bytes, and a header with these flags.
    fn send(&mut self, frame: usize, flags: u8) -> Result<(), Fault> {
        let page = &self.outbox;
        page.put(0, [0u8; HEADER]);
        page.put(0, flags);
        page.put(HEADER, [0xffu8; 6]);
        page.put(HEADER + 6, self.address);
        page.put(HEADER + 12, EXPERIMENT);
        for place in content(frame) {
            page.put(place, pattern(place, frame));
        }
        let len = (HEADER + frame) as u32;
        self.transmit.offer(&[(page.address(), len, By::Driver)]);
        self.device.notify(&self.transmit);
        match self.device.wait(&mut self.transmit)? {
            0 => Ok(()),
            _ => Err("the device says that it wrote to what it has to read"),
        }
    }

    fn there_and_back(&mut self, frame: usize) -> Result<(), Fault> {
        self.inbox.put(BUFFERS, 0u16);
        self.receive.offer(&[(self.inbox.address(), PAGE as u32, By::Device)]);
        self.device.notify(&self.receive);
        self.send(frame, 0)?;
        if self.device.wait(&mut self.receive)? as usize != HEADER + frame {
            return Err("a frame comes back with another length");
        }
        let page = &self.inbox;
        if page.get::<[u8; 10]>(0) != [0; 10] || page.get::<u16>(BUFFERS) != 1 {
            return Err("a header that says what was not agreed");
        }
        let source: [u8; 6] = page.get(HEADER + 6);
        let is_whole = content(frame).all(|place| page.get::<u16>(place) == pattern(place, frame));
        if source == self.address && is_whole { Ok(()) } else { Err("a frame comes back changed") }
    }
}

/// Where the words of a frame's content stand in a page; those of an odd length lack its last byte.
fn content(frame: usize) -> impl Iterator<Item = usize> {
    (HEADER + ETHERNET..HEADER + frame - 1).step_by(2)
}

/// A word of a frame of this length.
fn pattern(place: usize, frame: usize) -> u16 {
    (place * 0x101) as u16 ^ frame as u16
}
