//! The last word of a TCP handshake (RFC 9293, §3.5) that a guest was called with.
//!
//! passt before its releases of late 2023, Debian 12's among them, sends it with the caller's first data only. A server that
//! speaks first, as SSH, SMTP and MySQL do, waits for it, and its caller for the server: both for ever. So the guest is told at
//! once what its peer knows already. From one that says it too, it comes twice, which is allowed (§3.10.7.4).

/// Ethernet and IANA's numbers for it.
const MACS: usize = 12;
const HEADER: usize = 14;
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];

/// RFC 791, §3.1: version 4 and a header of five words, which all systems send without options; RFC 8200, §3.
const VERSION_AND_LENGTH: u8 = 0x45;
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
const TCP: u8 = 6;
const HOPS: u8 = 64;

/// RFC 9293, §3.1. The header has no options, so it is five words long.
const TCP_LEN: usize = 20;
const FIVE_WORDS: u8 = 5 << 4;
const ACK: u8 = 0x10;
const SYN_ACK: u8 = 0x12;

/// How much may be sent before the peer itself has said how much: a part of what any peer takes, whatever its scale (RFC 7323,
/// §2.3).
const WINDOW: [u8; 2] = 512u16.to_be_bytes();

/// The frame that acknowledges this one of a guest's, if it is the answer to a call.
pub fn acknowledgment(frame: &[u8]) -> Option<Vec<u8>> {
    let kind: [u8; 2] = frame.get(MACS..HEADER)?.try_into().ok()?;
    let packet = &frame[HEADER..];
    let (header, addresses, tcp) = match kind {
        IPV4 => {
            let ip: &[u8; IPV4_LEN] = packet.first_chunk()?;
            if ip[0] != VERSION_AND_LENGTH || ip[9] != TCP {
                return None;
            }
            let addresses = [&ip[16..20], &ip[12..16]].concat();
            (ipv4(&addresses), addresses, &packet[IPV4_LEN..])
        }
        IPV6 => {
            let ip: &[u8; IPV6_LEN] = packet.first_chunk()?;
            if ip[6] != TCP {
                return None;
            }
            let addresses = [&ip[24..40], &ip[8..24]].concat();
            (ipv6(&addresses), addresses, &packet[IPV6_LEN..])
        }
        _ => return None,
    };
    let [s0, s1, d0, d1, seq @ .., _, flags, _, _, _, _, _, _] = *tcp.first_chunk::<TCP_LEN>()?;
    if flags != SYN_ACK {
        return None;
    }
    let [q0, q1, q2, q3, a0, a1, a2, a3] = seq;
    let next = u32::from_be_bytes([q0, q1, q2, q3]).wrapping_add(1).to_be_bytes();
    let ports_and_numbers = [&[d0, d1, s0, s1, a0, a1, a2, a3][..], &next].concat();
    let mut segment = [&ports_and_numbers[..], &[FIVE_WORDS, ACK], &WINDOW, &[0; 4]].concat();
    let pseudo = [&addresses[..], &[0, TCP, 0, TCP_LEN as u8], &segment].concat();
    segment[16..18].copy_from_slice(&checksum(&pseudo));
    let macs = [&frame[6..MACS], &frame[..6]].concat();
    Some([&macs[..], &kind, &header, &segment].concat())
}

fn ipv4(addresses: &[u8]) -> Vec<u8> {
    let length = (IPV4_LEN + TCP_LEN) as u8;
    // Flag: not to be cut into pieces.
    let fixed = [VERSION_AND_LENGTH, 0, 0, length, 0, 0, 0x40, 0, HOPS, TCP, 0, 0];
    let mut header = [&fixed[..], addresses].concat();
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum);
    header
}

fn ipv6(addresses: &[u8]) -> Vec<u8> {
    [&[0x60, 0, 0, 0, 0, TCP_LEN as u8, TCP, HOPS][..], addresses].concat()
}

/// RFC 1071, of an even number of bytes.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let words = bytes.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    (!((folded + (folded >> 16)) as u16)).to_be_bytes()
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;

    use super::*;

    pub fn answer_to_a_call() -> Vec<u8> {
        answer(IPV4, SYN_ACK)
    }

    /// An answer to a call: from port 80 to 40,000, number 7, having heard 99.
    fn answer(kind: [u8; 2], flags: u8) -> Vec<u8> {
        let ip = match kind {
            IPV4 => [&[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0][..], &[10, 0, 2, 100, 10, 0, 2, 2]]
                .concat(),
            _ => [&[0x60, 0, 0, 0, 0, 20, 6, 64][..], &[1; 16], &[2; 16]].concat(),
        };
        let tcp =
            [&[0, 80, 0x9c, 0x40, 0, 0, 0, 7, 0, 0, 0, 99, 5 << 4, flags][..], &[0; 6]].concat();
        [&[0xaa; 6][..], &[0xbb; 6], &kind, &ip, &tcp].concat()
    }

    #[test]
    fn an_answer_to_a_call_is_acknowledged() {
        for (kind, length, pseudo) in [(IPV4, IPV4_LEN, 12..20), (IPV6, IPV6_LEN, 8..40)] {
            let frame = acknowledgment(&answer(kind, SYN_ACK)).unwrap();
            assert_eq!(frame[..HEADER], [&[0xbb; 6][..], &[0xaa; 6], &kind].concat());
            let (ip, tcp) = frame[HEADER..].split_at(length);
            let addresses = &ip[pseudo];
            let half = addresses.len() / 2;
            assert_eq!(addresses[half..], answer(kind, 0)[HEADER + length - 2 * half..][..half]);
            assert_eq!(tcp[..14], [0x9c, 0x40, 0, 80, 0, 0, 0, 99, 0, 0, 0, 8, 5 << 4, ACK]);
            assert_eq!(tcp.len(), TCP_LEN);
            // A sum over what has its own checksum inside is nothing (RFC 1071, §1).
            assert_eq!(checksum(&[addresses, &[0, TCP, 0, TCP_LEN as u8], tcp].concat()), [0, 0]);
            if kind == IPV4 {
                assert_eq!(checksum(ip), [0, 0]);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_else_is(flags: u8, cut in 0usize..80, v6: bool, at in 0usize..54, byte: u8) {
            let kind = if v6 { IPV6 } else { IPV4 };
            let frame = answer(kind, flags);
            let whole = acknowledgment(&frame);
            prop_assert_eq!(whole.is_some(), flags == SYN_ACK);
            prop_assert!(acknowledgment(&frame[..cut.min(frame.len() - 1)]).is_none());
            // Whatever a guest sends, this is all that it costs.
            let mut frame = answer(kind, SYN_ACK);
            frame[at] = byte;
            let length = acknowledgment(&frame).map_or(0, |frame| frame.len());
            prop_assert!(length <= HEADER + IPV6_LEN + TCP_LEN);
        }
    }
}
