//! All there are of what there are few.

use super::frames::{ACK, Datagram, MAC, OWN4, OWN6, ROUTER, SYN, Segment, ethernet, icmp, packet};
use super::*;

const ALL: [&str; 3] = ["0.0.0.0/0", "::/0", "dns"];

/// One of each kind that passes.
fn good_frames() -> Vec<Vec<u8>> {
    let question = frames::question(1, "example.org", frames::A);
    let mut frames = vec![link::arp(1, OWN4, "10.0.2.2"), link::arp(2, OWN4, "10.0.2.2")];
    for peer in ["8.8.8.8", "2001:db8::1"] {
        let mut data = Segment::to(peer, 443, ACK);
        data.payload = vec![7; 100];
        frames.extend([
            Segment::to(peer, 443, SYN).frame(),
            data.frame(),
            Datagram::to(peer, 443, &[7; 100]).frame(),
            Datagram::to(peer, 443, &[]).frame(),
        ]);
    }
    frames.push(icmp(OWN4, "8.8.8.8", 8, 0, 1));
    frames.push(icmp(OWN6, "2001:db8::1", 128, 0, 1));
    frames.push(Datagram::to_resolver(&question).frame());
    frames.push(Datagram::to("fd00::3", 53, &question).frame());
    frames
}

#[test]
fn every_other_ethertype_is_dropped() {
    let mut filter = filter(&ALL);
    for frame in good_frames() {
        let own = u16::from_be_bytes([frame[12], frame[13]]);
        for ethertype in 0..=u16::MAX {
            let other = ethernet(MAC, ROUTER, ethertype, &frame[14..]);
            let verdict = sent(&mut filter, &other, 1);
            assert_eq!(verdict.is_ok(), ethertype == own, "{ethertype:#x}: {verdict:?}");
            if ![0x0800, 0x0806, 0x86dd].contains(&ethertype) {
                assert_eq!(verdict, Err(Reason::Ethertype));
            }
        }
    }
}

/// A tag before a good packet.
#[test]
fn tagged_frames_are_dropped() {
    let mut filter = filter(&ALL);
    for frame in good_frames() {
        for tag in [0x8100_u16, 0x88a8, 0x9100] {
            let mut tagged = frame[..12].to_vec();
            tagged.extend(tag.to_be_bytes());
            tagged.extend([0, 1]);
            tagged.extend(&frame[12..]);
            assert_eq!(sent(&mut filter, &tagged, 1), Err(Reason::Ethertype));
        }
    }
}

#[test]
fn every_other_protocol_is_dropped() {
    let mut filter = filter(&ALL);
    // Good for each of them: 8 bytes of ICMP, and of UDP with its length.
    let ping = [8, 0, 0, 0, 0, 40, 0, 1];
    let rest = [&ping[..], &[0; 4], &[0x50, ACK], &[0; 26]].concat();
    for protocol in 0..=u8::MAX {
        let v4 = packet(address(OWN4), address("8.8.8.8"), protocol, 64, &rest);
        assert_eq!(sent(&mut filter, &v4, 1).is_ok(), [1, 6, 17].contains(&protocol), "{protocol}");
        let mut rest = rest.clone();
        rest[0] = 128;
        let v6 = packet(address(OWN6), address("2001:db8::1"), protocol, 64, &rest);
        assert_eq!(
            sent(&mut filter, &v6, 1).is_ok(),
            [6, 17, 58].contains(&protocol),
            "{protocol}"
        );
    }
}

/// Hop by hop, routing, fragment, ESP, AH, none, destination, mobility, HIP, shim6, and two for trials.
#[test]
fn every_extension_header_says_so() {
    let mut filter = filter(&ALL);
    for header in [0, 43, 44, 50, 51, 59, 60, 135, 139, 140, 253, 254] {
        let rest = [&[6, 0, 0, 0, 0, 0, 0, 0][..], &frames::syn("2001:db8::1", 443)[54..]].concat();
        let frame = packet(address(OWN6), address("2001:db8::1"), header, 64, &rest);
        assert_eq!(sent(&mut filter, &frame, 1), Err(Reason::ExtensionHeader), "{header}");
    }
}

#[test]
fn every_version_and_length_of_a_header_but_one_is_dropped() {
    let mut filter = filter(&ALL);
    for (frame, expected) in
        [(frames::syn("8.8.8.8", 443), 0x45), (frames::syn("2001:db8::1", 443), 0x60)]
    {
        for first in 0..=u8::MAX {
            let mut frame = frame.clone();
            frame[14] = first;
            // The low half of IPv6's first byte is the traffic class.
            let good = first == expected || expected == 0x60 && first >> 4 == 6;
            assert_eq!(sent(&mut filter, &frame, 1).is_ok(), good, "{first:#x}");
        }
    }
}

#[test]
fn every_fragment_is_dropped() {
    let mut filter = filter(&ALL);
    let frame = frames::syn("8.8.8.8", 443);
    for word in 0..=u16::MAX {
        let mut frame = frame.clone();
        frame[20..22].copy_from_slice(&word.to_be_bytes());
        // The two highest bits are reserved, and "do not fragment".
        let expected = if word & 0x3fff == 0 { Ok(()) } else { Err(Reason::Fragment) };
        assert_eq!(sent(&mut filter, &frame, 1), expected, "{word:#x}");
    }
}

#[test]
fn every_length_of_tcps_header_beyond_the_segment_is_dropped() {
    let mut filter = filter(&ALL);
    let frame = frames::syn("8.8.8.8", 443);
    for length in 0..16 {
        let mut frame = frame.clone();
        frame[46] = length << 4;
        assert_eq!(sent(&mut filter, &frame, 1).is_ok(), length == 5, "{length}");
    }
}

#[test]
fn no_frame_passes_that_is_cut_or_has_a_tail() {
    let mut filter = filter(&ALL);
    for frame in good_frames() {
        assert_eq!(sent(&mut filter, &frame, 1), Ok(()));
        for end in 0..frame.len() {
            assert!(sent(&mut filter, &frame[..end], 1).is_err(), "{end} of {frame:?}");
        }
        for more in 1..64 {
            let tail = [&frame[..], &vec![0; more]].concat();
            assert_eq!(sent(&mut filter, &tail, 1).is_ok(), tail.len() <= 60, "{more} more");
            let hidden = [&tail[..tail.len() - 1], &[1]].concat();
            assert!(sent(&mut filter, &hidden, 1).is_err(), "{more} more");
        }
    }
}

/// All ports, to an address for which there are rules.
#[test]
fn every_port_is_the_rules_to_say() {
    let mut filter = filter(&["8.8.8.8:40-60", "8.8.8.8:443/udp", "8.8.8.8:8000-8099/tcp"]);
    for port in 0..=u16::MAX {
        let both = (40..=60).contains(&port) && port != 53;
        let tcp = both || (8_000..8_100).contains(&port);
        assert_eq!(connects(&mut filter, "8.8.8.8", port, 1).is_ok(), tcp, "{port}");
        let udp = sent(&mut filter, &Datagram::to("8.8.8.8", port, b"x").frame(), 1);
        assert_eq!(udp.is_ok(), both || port == 443, "{port}");
    }
}
