//! A filter before a socket, and what the interface tells of both.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use devices::virtio::net::{F_MRG_RXBUF, F_STATUS};
use egress_rules::{InterfaceReport, PAGE_SIZE, Policy, Traffic};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

use super::guest::Guest;
use super::*;
use crate::config::{Interface, InterfaceSource};
use crate::jail::Inherited;

const MAC: [u8; 6] = [6, 0, 0, 0, 0, 2];
const RESOLVER: [u8; 4] = [10, 0, 0, 3];
const UDP: u8 = 17;

/// As whoever starts a VM makes it.
fn memory(size: usize, seals: SealFlags) -> File {
    let memory = memfd_create("report", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&memory, size as u64).unwrap();
    fcntl_add_seals(&memory, seals).unwrap();
    memory.into()
}

/// What stands there, if it is whole.
fn read(memory: &File) -> Option<InterfaceReport> {
    let mut page = vec![0; PAGE_SIZE];
    memory.read_exact_at(&mut page, 0).unwrap();
    let number = |at: usize| u64::from_le_bytes(page[at..at + 8].try_into().unwrap());
    let text = &page[16..16 + number(8) as usize];
    (number(0) > 0 && number(0).is_multiple_of(2)).then(|| serde_json::from_slice(text).unwrap())
}

/// A datagram over IPv4 from port 40000 of the guest.
fn datagram(to: [u8; 4], port: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [[2; 6], MAC].concat();
    let length = payload.len() as u16;
    frame.extend([8, 0, 0x45, 0]);
    frame.extend((length + 28).to_be_bytes());
    frame.extend([0, 1, 0, 0, 64, UDP, 0, 0, 10, 0, 0, 2]);
    frame.extend(to);
    frame.extend([40_000, port, length + 8, 0].map(u16::to_be_bytes).concat());
    frame.extend(payload);
    frame
}

/// A question for the IPv4 address of a name (RFC 1035 §4.1).
fn question(label: &str) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, label.len() as u8];
    message.extend(label.as_bytes());
    message.extend([0, 0, 1, 0, 1]);
    datagram(RESOLVER, 53, &message)
}

fn packet_of(frame: &[u8]) -> Vec<u8> {
    [&[0; HEADER_LEN], frame].concat()
}

/// A guest that may reach 10.0.0.9, and ask for `good`; its peer, and what its interface tells.
fn guest() -> (Guest, UnixStream, File) {
    let rules = ["10.0.0.9", "good"].map(|rule| rule.parse().unwrap()).to_vec();
    let policy = Policy {
        mac: MAC,
        ipv4: vec![[10, 0, 0, 2].into()],
        ipv6: Vec::new(),
        resolvers: vec![RESOLVER.into()],
        rules,
        link_local: false,
    };
    let memory = memory(PAGE_SIZE, SealFlags::SHRINK | SealFlags::GROW);
    let (stream, peer) = streams();
    let report = Some(memory.try_clone().unwrap());
    let opened = OpenedInterface { end: End::Stream(stream), report };
    let features = F_STATUS | F_MRG_RXBUF;
    (Guest::telling(&Link::default(), opened, Some(policy), features), peer, memory)
}

#[test]
fn only_what_is_allowed_reaches_a_program_and_a_refused_question_is_answered() {
    let (mut guest, mut peer, memory) = guest();
    let (denied, allowed) = (datagram([10, 0, 0, 8], 7, b"no"), datagram([10, 0, 0, 9], 7, b"yes"));
    guest.send(&packet_of(&denied));
    guest.send(&packet_of(&question("evil")));
    let answer = guest.receive();
    assert_eq!(answer[HEADER_LEN..HEADER_LEN + 6], MAC);
    let message = &answer[HEADER_LEN + 42..];
    // The question's number, a response, REFUSED (RFC 1035 §4.1.1).
    assert_eq!((&message[..2], message[2] >> 7, message[3] & 15), (&[0x12, 0x34][..], 1, 5));
    guest.send(&packet_of(&allowed));
    let expected = framed(&packet_of(&allowed));
    let mut bytes = vec![0; expected.len()];
    peer.set_nonblocking(true).unwrap();
    guest.wait(|_| peer.read_exact(&mut bytes).ok());
    assert!(bytes == expected);
    peer.write_all(&framed(&packet(0, 60))).unwrap();
    assert_eq!(guest.receive().len(), HEADER_LEN + 60);
    guest.end();
    assert_eq!(peer.read(&mut bytes).unwrap_err().kind(), ErrorKind::WouldBlock, "nothing more");
    let InterfaceReport { counters, egress } = read(&memory).unwrap();
    let rx = (60 + answer.len() - HEADER_LEN) as u64;
    assert_eq!(counters.rx, Traffic { bytes: rx, packets: 2, dropped: 0 });
    let tx = allowed.len() as u64;
    assert_eq!(counters.tx, Traffic { bytes: tx, packets: 1, dropped: 2 });
    let egress = egress.unwrap();
    let lines: Vec<_> = egress.destinations.iter().map(|it| (it.to_string(), it.reason)).collect();
    let line = |text: &str, reason| (text.to_owned(), reason);
    use egress_rules::Reason::{Name, Rule};
    assert_eq!(lines, [line("udp 10.0.0.3:53", Name), line("udp 10.0.0.8:7", Rule)]);
    assert_eq!((egress.dropped, egress.names[0].name.as_str()), (2, "evil"));
}

#[test]
fn what_is_new_is_told_now_or_when_its_time_has_come() {
    let (mut guest, _peer, memory) = guest();
    let dropped = |memory: &File| read(memory).map(|report| report.counters.tx.dropped);
    let began = alarm::now();
    for so_many in 1..=3 {
        guest.send(&packet_of(&datagram([10, 0, 0, 8], 7, b"no")));
        // The loop is called for it, whatever the guest does.
        guest.wait(|_| (dropped(&memory) == Some(so_many)).then_some(()));
    }
    let took = alarm::now() - began;
    assert!(took >= Duration::from_secs(2), "{took:?}");
    guest.send(&packet_of(&datagram([10, 0, 0, 8], 7, b"no")));
    guest.run_dry(Duration::from_millis(20));
    guest.end();
    assert_eq!(dropped(&memory), Some(4), "at the end there is no time to wait for");
}

#[test]
fn the_longest_report_fits_its_memory() {
    use egress_rules::{Counters, Destination, REPORTED, Reason, RefusedName, Report};
    let traffic = Traffic { bytes: u64::MAX, packets: u64::MAX, dropped: u64::MAX };
    let destination = Destination {
        protocol: "ethertype 0xffff".to_owned(),
        address: Some(std::net::Ipv6Addr::from(u128::MAX).into()),
        port: Some(u16::MAX),
        count: u64::MAX,
        reason: Reason::ExtensionHeader,
    };
    let name = RefusedName { name: "\\255".repeat(255), count: u64::MAX };
    let report = Report {
        dropped: u64::MAX,
        destinations: vec![destination; REPORTED],
        names: vec![name; REPORTED],
    };
    let counters = Counters { rx: traffic, tx: traffic };
    let report = InterfaceReport { counters, egress: Some(report) };
    let length = serde_json::to_vec(&report).unwrap().len();
    assert!(length <= PAGE_SIZE - egress_rules::PAGE_HEADER, "{length}");
}

#[test]
fn memory_that_could_be_taken_away_is_refused_in_one_line() {
    let size = PAGE_SIZE;
    let read_only = memory(size, SealFlags::SHRINK);
    let path = format!("/proc/self/fd/{}", read_only.as_raw_fd());
    let (pipe, _other) = rustix::pipe::pipe().unwrap();
    let wrong: [Option<OwnedFd>; 6] = [
        None,
        Some(memory(size, SealFlags::GROW).into()),
        Some(memory(size - 1, SealFlags::SHRINK).into()),
        Some(File::open(path).unwrap().into()),
        Some(tempfile::tempfile().unwrap().into()),
        Some(pipe),
    ];
    for descriptor in wrong {
        let mut inherited = descriptor.map(|it| Inherited::of(8, it)).unwrap_or_default();
        let source = InterfaceSource::Tap("nonesuch0".to_owned());
        let link = Link::default();
        let interface =
            Interface { id: "eth0".to_owned(), source, link, egress: None, report: Some(8) };
        let Err(error) = open(&interface, &mut inherited) else { panic!("it was opened") };
        let text = error.to_string();
        let expected = "network-interfaces, \"eth0\": report_fd 8: must be an inherited memfd of 524288 bytes at least, open for writing and sealed against shrinking (F_SEAL_SHRINK)";
        assert_eq!(text, expected);
    }
}
