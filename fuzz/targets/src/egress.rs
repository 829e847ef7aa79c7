//! A guest's frames at its egress filter, and what people write as its rules.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use devices::egress::{Filter, Offload, Segments, Verdict};
use egress_rules::{Policy, Rule};

use crate::input::Input;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x15];
const OWN4: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
const OWN6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x15);
const RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 2, 3));
/// No answer is longer: the longest name, and the headers of IPv6 and UDP.
const LONGEST_ANSWER: usize = 14 + 40 + 8 + 12 + 255 + 4;
/// As many destinations and names as a report has at most.
const REPORTED: usize = 256;

/// A rule's text.
pub fn rule(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<Rule>() {
        Ok(rule) => assert_eq!(rule.to_string().parse::<Rule>(), Ok(rule), "{text}"),
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
}

/// Frames both ways, while time goes by.
pub fn frames(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let rules = match input.u8().unwrap_or(0) % 3 {
        0 => vec!["example.org:443", "*.example.com"],
        1 => vec!["dns", "10.9.0.0/16", "[fd09::]/16:443"],
        _ => vec!["example.org", "203.0.113.0/24:1-1000/tcp"],
    };
    let rules: Vec<Rule> = rules.iter().map(|rule| rule.parse().expect("a rule")).collect();
    let policy = Policy {
        mac: MAC,
        ipv4: vec![OWN4],
        ipv6: vec![OWN6],
        resolvers: vec![RESOLVER],
        rules: rules.clone(),
        link_local: false,
    };
    let mut bench = Bench {
        filter: Filter::new(policy).expect("a policy"),
        rules,
        now: Duration::ZERO,
        offload: Offload::default(),
        came: Vec::new(),
    };
    while bench.step(&mut input).is_some() {}
    let report = bench.filter.report();
    assert!(report.destinations.len() <= REPORTED && report.names.len() <= REPORTED);
    assert!(report.destinations.iter().map(|it| it.count).sum::<u64>() <= report.dropped);
}

struct Bench {
    filter: Filter,
    rules: Vec<Rule>,
    now: Duration,
    offload: Offload,
    /// All frames that came in.
    came: Vec<Vec<u8>>,
}

impl Bench {
    fn step(&mut self, input: &mut Input) -> Option<()> {
        match input.u8()? % 8 {
            0 => self.send(&take(input)?),
            1 => self.receive(take(input)?),
            kind @ (2 | 3) => self.send(&put_right(take(input)?, kind == 2, true)),
            kind @ (4 | 5) => self.receive(put_right(take(input)?, kind == 4, false)),
            6 => self.now += Duration::from_secs(input.u16()?.into()),
            _ => {
                let checksum = input.bool()?.then_some((input.u16()?, input.u16()?));
                let kinds = [Segments::None, Segments::TcpV4, Segments::TcpV6, Segments::Udp];
                let segments = kinds[usize::from(input.u8()? % 4)];
                self.offload = Offload { checksum, segments };
            }
        }
        Some(())
    }

    fn receive(&mut self, frame: Vec<u8>) {
        self.filter.incoming(&frame, self.now);
        self.came.push(frame);
    }

    fn send(&mut self, frame: &[u8]) {
        let dropped = self.filter.report().dropped;
        let offload = std::mem::take(&mut self.offload);
        let passed = match self.filter.outgoing(frame, offload, self.now) {
            Verdict::Pass => true,
            Verdict::Drop(_) => false,
            Verdict::Answer(answer) => {
                assert!(answer[..6] == MAC && answer.len() <= LONGEST_ANSWER);
                false
            }
        };
        assert_eq!(self.filter.report().dropped, dropped + u64::from(!passed));
        if passed {
            self.check(frame, offload);
        }
    }

    /// What has to be so of everything that passed, as far as the bytes at fixed places say it.
    fn check(&self, frame: &[u8], offload: Offload) {
        assert_eq!(frame[6..12], MAC);
        let (protocol, to, rest) = match frame[12..14] {
            [0x08, 0x06] => {
                assert!(frame[22..28] == MAC && frame.len() <= 60);
                return;
            }
            [0x08, 0x00] => {
                assert!(frame[14] == 0x45 && frame[26..30] == OWN4.octets());
                assert!(frame[20] & 0x3f == 0 && frame[21] == 0, "a fragment");
                (frame[23], &frame[30..34], &frame[34..])
            }
            [0x86, 0xdd] => {
                // The longest message of Neighbor Discovery: with two options.
                if frame[20] == 58 && (133..=137).contains(&frame[54]) {
                    assert!(frame[21] == 255 && frame.len() <= 14 + 40 + 24 + 16);
                    return;
                }
                assert_eq!(frame[22..38], OWN6.octets());
                (frame[20], &frame[38..54], &frame[54..])
            }
            _ => panic!("another type"),
        };
        let destination = match to.try_into().map(u32::from_be_bytes) {
            Ok(v4) => IpAddr::V4(v4.into()),
            Err(_) => IpAddr::V6(<[u8; 16]>::try_from(to).expect("16 bytes").into()),
        };
        assert!([1, 6, 17, 58].contains(&protocol));
        let port = matches!(protocol, 6 | 17).then(|| u16::from_be_bytes([rest[2], rest[3]]));
        if let Some((start, offset)) = offload.checksum {
            let place = usize::from(start) + usize::from(offset);
            assert_eq!(place, frame.len() - rest.len() + if protocol == 6 { 16 } else { 6 });
        }
        if port == Some(53) {
            assert_eq!(destination, RESOLVER);
            return;
        }
        assert!(
            !egress_rules::is_link_local(destination) && !egress_rules::is_unroutable(destination)
        );
        // A rule has it, or somebody outside said it: in an answer, or as whoever came in.
        let ruled = self.rules.iter().any(|rule| match rule {
            Rule::Network(network, _) => network.contains(destination),
            _ => false,
        });
        let said =
            || self.came.iter().any(|frame| frame.windows(to.len()).any(|bytes| bytes == to));
        assert!(ruled || said(), "{destination} out of nowhere");
    }
}

/// A length, and so many bytes.
fn take(input: &mut Input) -> Option<Vec<u8>> {
    let length = input.number()?.min(2_000) as usize;
    input.bytes(length).map(<[u8]>::to_vec)
}

/// Addresses and lengths that the fuzzer would have to find out.
fn put_right(mut frame: Vec<u8>, v4: bool, outgoing: bool) -> Vec<u8> {
    let (header, own): (usize, &[u8]) =
        if v4 { (34, &OWN4.octets()) } else { (54, &OWN6.octets()) };
    if frame.len() < header + 8 {
        return frame;
    }
    frame[if outgoing { 6..12 } else { 0..6 }].copy_from_slice(&MAC);
    let (ethertype, version, length, protocol, source) = if v4 {
        ([0x08, 0x00], 0x45, frame.len() - 14, 23, 26)
    } else {
        ([0x86, 0xdd], 0x60, frame.len() - 54, 20, 22)
    };
    frame[12..14].copy_from_slice(&ethertype);
    frame[14] = version;
    let place = if v4 { 16 } else { 18 };
    frame[place..place + 2].copy_from_slice(&(length as u16).to_be_bytes());
    let place = if outgoing { source } else { source + own.len() };
    frame[place..place + own.len()].copy_from_slice(own);
    if frame[protocol] == 17 {
        let length = (frame.len() - header) as u16;
        frame[header + 4..header + 6].copy_from_slice(&length.to_be_bytes());
    }
    frame
}
