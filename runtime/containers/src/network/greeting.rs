//! Whether passt is there: the question that any machine asks first, who has the gateway's address (RFC 826). By it, and by what
//! a machine says of its own address of IPv6 (RFC 4861, §7.2.6), passt learns the guest's addresses before anybody calls the
//! guest: it would call another one until the guest has said something by itself.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use protocol::MacAddress;

/// passt's tap.h, `L2_MAX_LEN_PASST`: the longest frame, in bytes.
const MAX_FRAME: usize = 65_535;

/// Ethernet and ARP: RFC 826, and the numbers of RFC 5342.
const ETHERTYPE: [u8; 2] = [0x08, 0x06];
const ETHERNET_IPV4: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];
const REQUEST: [u8; 2] = [0, 1];
const REPLY: [u8; 2] = [0, 2];

/// IPv6: RFC 2464, §3 and §7; RFC 8200, §3; and the numbers of RFC 4861, §4.4.
const IPV6: [u8; 2] = [0x86, 0xdd];
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ICMPV6: u8 = 58;
const ADVERTISEMENT: u8 = 136;
const OVERRIDE: u8 = 0x20;
const TARGET_LINK: [u8; 2] = [2, 1];

/// A guest that asks.
pub struct Guest {
    pub mac: MacAddress,
    pub ip: Ipv4Addr,
    pub has_ipv6: bool,
}

/// Asks passt, at the other end, and waits for its answer, so long at most. What else it sends meanwhile is lost, as it
/// would be with a guest that is not up yet.
pub fn greet(
    socket: OwnedFd,
    guest: &Guest,
    gateway: Ipv4Addr,
    patience: Duration,
) -> io::Result<OwnedFd> {
    let deadline = Instant::now() + patience;
    let mut stream = UnixStream::from(socket);
    let introduction = guest.has_ipv6.then(|| introduction(guest.mac));
    for frame in introduction.into_iter().chain([question(guest, gateway)]) {
        stream.write_all(&(frame.len() as u32).to_be_bytes())?;
        stream.write_all(&frame)?;
    }
    loop {
        if is_answer(&frame(&mut stream, deadline)?, gateway) {
            stream.set_read_timeout(None)?;
            return Ok(stream.into());
        }
    }
}

fn question(guest: &Guest, gateway: Ipv4Addr) -> Vec<u8> {
    let MacAddress(mac) = guest.mac;
    let head = [&[0xff; 6], &mac[..], &ETHERTYPE, &ETHERNET_IPV4, &REQUEST].concat();
    [&head, &mac[..], &guest.ip.octets(), &[0; 6], &gateway.octets()].concat()
}

/// An advertisement of the address that a kernel gives its interface by itself.
fn introduction(mac: MacAddress) -> Vec<u8> {
    let own = link_local(mac).octets();
    let MacAddress(mac) = mac;
    let rest = [&[OVERRIDE, 0, 0, 0], &own[..], &TARGET_LINK, &mac].concat();
    let message = [&[ADVERTISEMENT, 0, 0, 0], &rest[..]].concat();
    let length = message.len() as u8;
    // RFC 8200, §8.1: the checksum is of these, too.
    let pseudo = [&own[..], &ALL_NODES.octets(), &[0, 0, 0, length, 0, 0, 0, ICMPV6]].concat();
    let checksum = checksum(&[pseudo, message].concat()).to_be_bytes();
    let message = [&[ADVERTISEMENT, 0], &checksum[..], &rest].concat();
    let head = [0x60, 0, 0, 0, 0, length, ICMPV6, 255];
    [&ALL_NODES_MAC, &mac[..], &IPV6, &head, &own, &ALL_NODES.octets(), &message].concat()
}

/// RFC 4291, appendix A.
fn link_local(MacAddress([a, b, c, d, e, f]): MacAddress) -> Ipv6Addr {
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// RFC 1071, of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded + (folded >> 16)) as u16)
}

/// After the two hardware addresses: the kind of frame, of ARP, and whose address it tells.
fn is_answer(frame: &[u8], gateway: Ipv4Addr) -> bool {
    let head = [&ETHERTYPE[..], &ETHERNET_IPV4, &REPLY].concat();
    frame.get(12..22) == Some(&head) && frame.get(28..32) == Some(&gateway.octets())
}

fn frame(stream: &mut UnixStream, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    fill(stream, &mut length, deadline)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_FRAME {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    fill(stream, &mut frame, deadline)?;
    Ok(frame)
}

/// Also one who sends byte by byte is waited for until then, and no longer.
fn fill(stream: &mut UnixStream, mut bytes: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => bytes = &mut bytes[read..],
            // The time is up (socket(7), SO_RCVTIMEO), which is seen above.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
    const PATIENCE: Duration = Duration::from_secs(60);

    fn guest() -> Guest {
        Guest {
            mac: MacAddress([2, 0x42, 10, 0, 2, 100]),
            ip: Ipv4Addr::new(10, 0, 2, 100),
            has_ipv6: false,
        }
    }

    fn answer() -> Vec<u8> {
        let mut answer = question(&guest(), GATEWAY);
        answer[21] = 2;
        answer[28..32].copy_from_slice(&GATEWAY.octets());
        answer
    }

    /// What becomes of a greeting when a passt says these bytes after the question, and ends if it is to; what is left to read
    /// behind them.
    fn greeted(said: Vec<u8>, ends: bool, patience: Duration) -> io::Result<Vec<u8>> {
        let (ours, mut its) = UnixStream::pair().unwrap();
        let passt = thread::spawn(move || {
            let mut asked = [0; 46];
            its.read_exact(&mut asked).unwrap();
            its.write_all(&said).unwrap();
            (!ends).then_some(its)
        });
        let result = greet(ours.into(), &guest(), GATEWAY, patience);
        drop(passt.join().unwrap());
        let mut rest = Vec::new();
        UnixStream::from(result?).read_to_end(&mut rest)?;
        Ok(rest)
    }

    fn framed(frames: &[&[u8]]) -> Vec<u8> {
        let with_length = |frame: &&[u8]| [&(frame.len() as u32).to_be_bytes()[..], frame].concat();
        frames.iter().flat_map(with_length).collect()
    }

    #[test]
    fn the_question_is_an_arp_request() {
        let question = question(&guest(), GATEWAY);
        assert_eq!(question.len(), 42);
        assert_eq!(
            question[..14],
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0x42, 10, 0, 2, 100, 8, 6]
        );
        assert_eq!(question[38..], GATEWAY.octets());
    }

    #[test]
    fn the_introduction_is_a_neighbor_advertisement() {
        let frame = introduction(guest().mac);
        assert_eq!(frame.len(), 14 + 40 + 32);
        assert_eq!(link_local(guest().mac).to_string(), "fe80::42:aff:fe00:264");
        assert_eq!(frame[22..38], link_local(guest().mac).octets());
        // The checksum over all of it is the one of nothing (RFC 1071).
        let pseudo = [&frame[22..54], &[0, 0, 0, 32, 0, 0, 0, ICMPV6]].concat();
        assert_eq!(checksum(&[&pseudo, &frame[54..]].concat()), 0);
    }

    #[test]
    fn the_answer_is_taken_and_nothing_behind_it() {
        let said = framed(&[b"", b"a frame for nobody", &answer(), b"the next one"]);
        assert_eq!(greeted(said, false, PATIENCE).unwrap(), framed(&[b"the next one"]));
    }

    #[test]
    fn who_is_not_passt_is_not_listened_to_for_ever() {
        let kind =
            |said: Vec<u8>, ends, patience| greeted(said, ends, patience).unwrap_err().kind();
        assert_eq!(kind(framed(&[b"other"]), true, PATIENCE), io::ErrorKind::UnexpectedEof);
        assert_eq!(
            kind(framed(&[&question(&guest(), GATEWAY)]), true, PATIENCE),
            io::ErrorKind::UnexpectedEof
        );
        assert_eq!(kind(vec![0, 0, 0, 9, 1], true, PATIENCE), io::ErrorKind::UnexpectedEof);
        assert_eq!(kind(vec![0, 1, 0, 0], false, PATIENCE), io::ErrorKind::InvalidData);
        let soon = Duration::from_millis(20);
        assert_eq!(kind(framed(&[b"other"]), false, soon), io::ErrorKind::TimedOut);
    }
}
