//! What a header may ask for, each way.

use proptest::prelude::*;

use super::*;

/// A header's fields, up to `num_buffers`.
type Fields = (u8, u8, [u16; 4]);

fn with_header((flags, gso_type, words): Fields, frame: usize) -> Vec<u8> {
    let mut bytes = packet(3, frame);
    (bytes[0], bytes[1]) = (flags, gso_type);
    for (at, word) in words.into_iter().enumerate() {
        bytes[2 + 2 * at..][..2].copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// What the other side gets of it, by the rules of virtio 1.2 §5.1.6.2 and §5.1.6.4 and TCP's, written down a second time.
fn expected(fields: Fields, frame: usize, features: [u64; 3], valid: bool) -> Option<Fields> {
    let [csum, tso4, tso6] = features.map(|feature| feature != 0);
    let (flags, gso_type, [hdr_len, gso_size, start, offset]) = fields;
    let partial = flags & 1 == 1;
    if partial && !(csum && usize::from(start) + usize::from(offset) + 2 <= frame) {
        return None;
    }
    let large = match gso_type {
        0 => false,
        1 if csum && tso4 => true,
        4 if csum && tso6 => true,
        _ => return None,
    };
    // TCP behind an Ethernet header.
    let is_tcp = partial && start >= 14 && offset == 16;
    if large && !(is_tcp && gso_size > 0 && usize::from(hdr_len) <= frame) {
        return None;
    }
    let (start, offset) = if partial { (start, offset) } else { (0, 0) };
    let (hdr_len, gso_size) = if large { (hdr_len, gso_size) } else { (0, 0) };
    let flags = if partial { 1 } else { flags & if valid && csum { 2 } else { 0 } };
    Some((flags, gso_type, [hdr_len, gso_size, start, offset]))
}

fn fields() -> impl Strategy<Value = Fields> {
    let kind = prop_oneof![Just(0u8), Just(1), Just(4), Just(0x81), Just(3), any::<u8>()];
    let word = || prop_oneof![0..120u16, any::<u16>()];
    let offset = prop_oneof![Just(16), word()];
    (0..8u8, kind, [word(), word(), word()], offset)
        .prop_map(|(flags, kind, [a, b, c], d)| (flags, kind, [a, b, c, d]))
}

proptest! {
    #[test]
    fn a_header_says_what_was_agreed_and_no_more(
        fields in fields(),
        frame in 14..200usize,
        choice in any::<u64>(),
    ) {
        let (peer, features) = (Peer::with_offloads(1 << 20), choice & OFFLOADS);
        let mut guest = Guest::new(Link::default(), &peer, features);
        let usable = if features & F_CSUM == 0 { !(F_HOST_TSO4 | F_HOST_TSO6) } else { !0 }
            & if features & F_GUEST_CSUM == 0 { !(F_GUEST_TSO4 | F_GUEST_TSO6) } else { !0 };
        prop_assert_eq!(&peer.world().started[..], &[features & usable]);
        let sent = with_header(fields, frame);
        guest.send(&sent, &[5]);
        guest.offer(&[1000]);
        peer.world().to_guest.push_back(sent);
        guest.notify(TX);
        guest.notify(RX);
        guest.settle();
        let agreed = |bits: [u64; 3]| bits.map(|bit| features & bit);
        let to_host = agreed([F_CSUM, F_HOST_TSO4, F_HOST_TSO6]);
        let out = expected(fields, frame, to_host, false).map(|fields| with_header(fields, frame));
        prop_assert_eq!(peer.world().from_guest.pop(), out);
        let to_guest = agreed([F_GUEST_CSUM, F_GUEST_TSO4, F_GUEST_TSO6]);
        let out = expected(fields, frame, to_guest, true).map(|fields| {
            let mut packet = with_header(fields, frame);
            packet[10] = 1; // num_buffers, also when buffers are not mergeable
            packet
        });
        prop_assert_eq!(guest.receive(), out);
        prop_assert_eq!(guest.unsent(), 0);
    }
}

#[test]
fn a_driver_that_knows_the_mtu_gets_no_longer_frame() {
    for (features, longest) in [(F_MTU, 1300 + 18), (0, 2000)] {
        let peer = Peer::with_room(0);
        let link = Link { mtu: Some(1300), ..Link::default() };
        let mut guest = Guest::new(link, &peer, features);
        while guest.offer(&[3000]) {}
        guest.notify(RX);
        peer.world().to_guest.extend([1318, 1319, 2000].map(|frame| packet(0, frame)));
        guest.settle();
        let longest_got = std::iter::from_fn(|| guest.receive()).map(|packet| packet.len()).max();
        assert_eq!(longest_got, Some(HEADER_LEN + longest));
    }
}
