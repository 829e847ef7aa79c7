//! The last word of a TCP handshake (RFC 9293, §3.5) that a guest was called with.
//!
//! passt before its releases of late 2023, Debian 12's among them, sends it with the caller's first data only. A server that
//! speaks first, as SSH, SMTP and MySQL do, waits for it, and its caller for the server: both for ever. So the guest is told at
//! once what its peer knows already. From one that says it too, it comes twice, which is allowed (§3.10.7.4).

use super::packet::{self, ETHERTYPE_IPV4, ETHERTYPE_IPV6, Transport, flag};
use super::reply;

/// How much may be sent before the peer itself has said how much: a part of what any peer takes, whatever its scale (RFC 7323,
/// §2.3).
const WINDOW: u16 = 512;

/// The frame that acknowledges this one of a guest's, if it is the answer to a call.
pub fn acknowledgment(bytes: &[u8]) -> Option<Vec<u8>> {
    let frame = packet::frame(bytes)?;
    if ![ETHERTYPE_IPV4, ETHERTYPE_IPV6].contains(&frame.ethertype) {
        return None;
    }
    let packet = packet::packet(&frame).ok()?;
    let Transport::Tcp(tcp) = packet.transport else { return None };
    let next = tcp.sequence.wrapping_add(1);
    (tcp.flags == flag::SYN | flag::ACK)
        .then(|| reply::segment(&frame, &packet, &tcp, (flag::ACK, next, WINDOW)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::packet::{ETHERNET_HEADER, IPV4_HEADER, IPV6_HEADER, TCP, TCP_HEADER};
    use super::super::reply::{add, fold};
    use super::*;

    const SYN_ACK: u8 = 0x12;
    const KINDS: [u16; 2] = [ETHERTYPE_IPV4, ETHERTYPE_IPV6];

    /// An answer to a call: from port 80 to 40,000, number 7, having heard 99.
    fn answer(kind: u16, flags: u8) -> Vec<u8> {
        let ip = match kind {
            ETHERTYPE_IPV4 => {
                [&[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0][..], &[10, 0, 2, 100, 10, 0, 2, 2]]
                    .concat()
            }
            _ => [&[0x60, 0, 0, 0, 0, 20, 6, 64][..], &[1; 16], &[2; 16]].concat(),
        };
        let tcp =
            [&[0, 80, 0x9c, 0x40, 0, 0, 0, 7, 0, 0, 0, 99, 5 << 4, flags][..], &[0; 6]].concat();
        [&[0xaa; 6][..], &[0xbb; 6], &kind.to_be_bytes(), &ip, &tcp].concat()
    }

    #[test]
    fn an_answer_to_a_call_is_acknowledged() {
        for (kind, length, pseudo) in
            [(ETHERTYPE_IPV4, IPV4_HEADER, 12..20), (ETHERTYPE_IPV6, IPV6_HEADER, 8..40)]
        {
            let frame = acknowledgment(&answer(kind, SYN_ACK)).unwrap();
            assert_eq!(
                frame[..ETHERNET_HEADER],
                [&[0xbb; 6][..], &[0xaa; 6], &kind.to_be_bytes()].concat()
            );
            let (ip, tcp) = frame[ETHERNET_HEADER..].split_at(length);
            let addresses = &ip[pseudo];
            let half = addresses.len() / 2;
            assert_eq!(
                addresses[half..],
                answer(kind, 0)[ETHERNET_HEADER + length - 2 * half..][..half]
            );
            assert_eq!(tcp[..14], [0x9c, 0x40, 0, 80, 0, 0, 0, 99, 0, 0, 0, 8, 5 << 4, flag::ACK]);
            assert_eq!(tcp.len(), TCP_HEADER);
            // A sum over what has its own checksum inside is nothing (RFC 1071, §1).
            let pseudo = [addresses, &[0, TCP, 0, TCP_HEADER as u8], tcp].concat();
            assert_eq!(fold(add(0, &pseudo)), u16::MAX);
            if kind == ETHERTYPE_IPV4 {
                assert_eq!(fold(add(0, ip)), u16::MAX);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_else_is(flags: u8, cut in 0usize..80, v6: bool, at in 0usize..54, byte: u8) {
            let kind = KINDS[usize::from(v6)];
            let frame = answer(kind, flags);
            let whole = acknowledgment(&frame);
            prop_assert_eq!(whole.is_some(), flags == SYN_ACK);
            prop_assert!(acknowledgment(&frame[..cut.min(frame.len() - 1)]).is_none());
            // Whatever a guest sends, this is all that it costs.
            let mut frame = answer(kind, SYN_ACK);
            frame[at] = byte;
            let length = acknowledgment(&frame).map_or(0, |frame| frame.len());
            prop_assert!(length <= ETHERNET_HEADER + IPV6_HEADER + TCP_HEADER);
        }
    }
}
