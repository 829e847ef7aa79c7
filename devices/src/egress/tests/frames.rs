//! Frames as guests and their peers make them; by an encoder that knows nothing of the filter's own.

use std::net::IpAddr;

pub const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x15];
pub const ROUTER: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const OWN4: &str = "10.0.2.15";
pub const OWN6: &str = "fd00::15";
pub const RESOLVER: &str = "10.0.2.3";
pub const A: u16 = 1;
pub const AAAA: u16 = 28;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const ACK: u8 = 16;

pub fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// The address of the guest that can talk to this one.
pub fn own_for(peer: IpAddr) -> IpAddr {
    super::address(if peer.is_ipv4() { OWN4 } else { OWN6 })
}

pub fn ethernet(source: [u8; 6], destination: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [destination, source].concat();
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

/// From the guest, or to it.
pub fn packet(from: IpAddr, to: IpAddr, protocol: u8, hop_limit: u8, rest: &[u8]) -> Vec<u8> {
    let (source, destination) = if from == own_for(to) { (MAC, ROUTER) } else { (ROUTER, MAC) };
    let length = rest.len() as u16;
    if from.is_ipv4() {
        let mut header = vec![0x45, 0];
        header.extend((length + 20).to_be_bytes());
        header.extend([0, 1, 0, 0, hop_limit, protocol, 0, 0]);
        header.extend([octets(from), octets(to)].concat());
        ethernet(source, destination, 0x0800, &[&header[..], rest].concat())
    } else {
        let mut header = vec![0x60, 0, 0, 0];
        header.extend(length.to_be_bytes());
        header.extend([protocol, hop_limit]);
        header.extend([octets(from), octets(to)].concat());
        ethernet(source, destination, 0x86dd, &[&header[..], rest].concat())
    }
}

/// A segment of TCP.
#[derive(Clone, Debug)]
pub struct Segment {
    pub from: (IpAddr, u16),
    pub to: (IpAddr, u16),
    pub sequence: u32,
    pub acknowledgment: u32,
    pub flags: u8,
    pub payload: Vec<u8>,
}

impl Segment {
    /// From port 40000 of the guest.
    pub fn to(peer: &str, port: u16, flags: u8) -> Self {
        let peer = super::address(peer);
        let from = (own_for(peer), 40_000);
        Self {
            from,
            to: (peer, port),
            sequence: 1000,
            acknowledgment: 0,
            flags,
            payload: Vec::new(),
        }
    }

    /// From there to the guest.
    pub fn from(peer: &str, port: u16, flags: u8) -> Self {
        let to = Self::to(peer, port, flags);
        Self { from: to.to, to: to.from, ..to }
    }

    pub fn frame(&self) -> Vec<u8> {
        let mut rest = [self.from.1.to_be_bytes(), self.to.1.to_be_bytes()].concat();
        rest.extend(self.sequence.to_be_bytes());
        rest.extend(self.acknowledgment.to_be_bytes());
        rest.extend([0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        rest.extend(&self.payload);
        packet(self.from.0, self.to.0, 6, 64, &rest)
    }
}

pub fn syn(peer: &str, port: u16) -> Vec<u8> {
    Segment::to(peer, port, SYN).frame()
}

/// A datagram of UDP.
#[derive(Clone, Debug)]
pub struct Datagram {
    pub from: (IpAddr, u16),
    pub to: (IpAddr, u16),
    pub payload: Vec<u8>,
}

impl Datagram {
    /// From port 40000 of the guest.
    pub fn to(peer: &str, port: u16, payload: &[u8]) -> Self {
        let peer = super::address(peer);
        Self { from: (own_for(peer), 40_000), to: (peer, port), payload: payload.to_vec() }
    }

    pub fn to_resolver(message: &[u8]) -> Self {
        Self::to(RESOLVER, 53, message)
    }

    /// The other way.
    pub fn back(&self, payload: &[u8]) -> Self {
        Self { from: self.to, to: self.from, payload: payload.to_vec() }
    }

    pub fn frame(&self) -> Vec<u8> {
        let mut rest = [self.from.1.to_be_bytes(), self.to.1.to_be_bytes()].concat();
        rest.extend((self.payload.len() as u16 + 8).to_be_bytes());
        rest.extend([0, 0]);
        rest.extend(&self.payload);
        packet(self.from.0, self.to.0, 17, 64, &rest)
    }
}

pub fn icmp(from: &str, to: &str, kind: u8, code: u8, id: u16) -> Vec<u8> {
    let (from, to) = (super::address(from), super::address(to));
    let mut rest = vec![kind, code, 0, 0];
    rest.extend(id.to_be_bytes());
    rest.extend([0, 1, 9, 9]);
    packet(from, to, if from.is_ipv4() { 1 } else { 58 }, 64, &rest)
}

/// A name as it is sent.
pub fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

pub fn question(id: u16, text: &str, kind: u16) -> Vec<u8> {
    let mut message = words(&[id, 0x0100, 1, 0, 0, 0]);
    message.extend(name(text));
    message.extend(words(&[kind, 1]));
    message
}

pub fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A record of an answer: owner, kind, seconds, data.
pub type Record = (Vec<u8>, u16, u32, Vec<u8>);

/// The name of the question: a pointer to it.
pub const ASKED: [u8; 2] = [0xc0, 12];

/// An address of the name that was asked for.
pub fn host(text: &str, seconds: u32) -> Record {
    host_of(ASKED.to_vec(), text, seconds)
}

pub fn host_of(owner: Vec<u8>, text: &str, seconds: u32) -> Record {
    let address = super::address(text);
    (owner, if address.is_ipv4() { A } else { AAAA }, seconds, octets(address))
}

pub fn alias(owner: Vec<u8>, target: &str, seconds: u32) -> Record {
    (owner, 5, seconds, name(target))
}

/// The answer to a question of [`question`].
pub fn answer(question: &[u8], records: &[Record]) -> Vec<u8> {
    let mut message = question[..2].to_vec();
    message.extend(words(&[0x8180, 1, records.len() as u16, 0, 0]));
    message.extend(&question[12..]);
    for (owner, kind, seconds, data) in records {
        message.extend(owner);
        message.extend(words(&[*kind, 1]));
        message.extend(seconds.to_be_bytes());
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(data);
    }
    message
}

/// Whether a packet's checksum of TCP or UDP is right.
pub fn has_right_sum(frame: &[u8]) -> bool {
    let v4 = frame[12..14] == [8, 0];
    let (protocol, addresses, segment) = if v4 {
        (frame[23], &frame[26..34], &frame[34..])
    } else {
        (frame[20], &frame[22..54], &frame[54..])
    };
    let mut bytes = addresses.to_vec();
    bytes.extend([0, protocol]);
    bytes.extend((segment.len() as u16).to_be_bytes());
    bytes.extend(segment);
    sums_up(&bytes)
}

/// Whether words that have their checksum among them are a multiple of 65535 (RFC 1071).
pub fn sums_up(bytes: &[u8]) -> bool {
    let mut sum = 0_u64;
    for pair in bytes.chunks(2) {
        sum += u64::from(pair[0]) * 256 + u64::from(pair.get(1).copied().unwrap_or(0));
    }
    sum.is_multiple_of(0xffff)
}
