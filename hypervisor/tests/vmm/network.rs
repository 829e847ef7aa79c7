//! A guest sends a frame and gets one, through a VM's process in its jail.

pub mod handed_over;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::process::Command;

use egress_rules::{Counters, PAGE_HEADER, PAGE_SIZE, Traffic};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

use crate::guest::{Code, SCRATCH};
use crate::process::{Outcome, Vm, finish, is_root, kvm_is_there, run};

#[cfg(target_arch = "aarch64")]
use arch::aarch64::layout;
#[cfg(target_arch = "x86_64")]
use arch::x86_64::layout;

/// Where the guest has its queues' areas, and its packets.
const QUEUES: [u64; 2] = [SCRATCH, SCRATCH + 0x4000];
const PACKETS: [u64; 2] = [SCRATCH + 0x8000, SCRATCH + 0xa000];
/// Room for a packet from the host.
const ROOM: u32 = 0x2000;
/// Length of a packet's header (virtio 1.2 §5.1.6).
const HEADER: u64 = 12;

/// A driver that accepts these features, sends `frame`, waits for one, prints the byte of it that stands at `place`, and
/// switches off. A frame's length is a multiple of 4.
fn driver(features: u32, frame: &[u8], place: u64) -> Vec<u8> {
    let base = layout::virtio_slot(0).unwrap().base;
    let mut stores = Vec::new();
    let register = |offset, value| (base + offset, value);
    // The handshake of virtio 1.2 §3.1.1.
    stores.extend([register(0x70, 1), register(0x70, 3)]);
    for (half, bits) in [(0, features), (1, 1)] {
        stores.extend([register(0x24, half), register(0x20, bits)]);
    }
    stores.push(register(0x70, 11));
    for (number, area) in (0..).zip(QUEUES) {
        stores.extend([register(0x30, number), register(0x38, 2)]);
        for (register, offset) in [(0x80, 0), (0x90, 0x1000), (0xa0, 0x2000)] {
            stores.push((base + register, (area + offset) as u32));
        }
        stores.push(register(0x44, 1));
    }
    stores.push(register(0x70, 15));
    for (word, bytes) in (0..).zip(frame.chunks(4)) {
        let bytes = bytes.try_into().expect("a multiple of 4");
        stores.push((PACKETS[1] + HEADER + 4 * word, u32::from_le_bytes(bytes)));
    }
    // A descriptor each, which the device writes or reads, and one chain each in the available ring.
    let lengths = [(ROOM, 2), (HEADER as u32 + frame.len() as u32, 0)];
    for (index, (length, flags)) in lengths.into_iter().enumerate() {
        let descriptor = [PACKETS[index] as u32, 0, length, flags];
        stores.extend((0..).zip(descriptor).map(|(word, value)| (QUEUES[index] + 4 * word, value)));
        stores.push((QUEUES[index] + 0x1000, 1 << 16));
        stores.push(register(0x50, index as u32));
    }
    let code = stores.into_iter().fold(Code::new(), |code, (at, value)| code.store32(at, value));
    let code = code.wait_for(QUEUES[0] + 0x2000).print_byte_at(PACKETS[0] + HEADER + place);
    code.power_off().into_kernel()
}

#[test]
fn a_guest_talks_to_a_program_through_a_socket_that_is_handed_over() {
    if !kvm_is_there("a_guest_talks_to_a_program_through_a_socket_that_is_handed_over") {
        return;
    }
    let vm = Vm::new(&driver(1 << 16, b"a frame of Ethernet.", 16));
    let (mut peer, handed_over) = UnixStream::pair().unwrap();
    let number = handed_over.as_raw_fd();
    vm.configure(&format!(
        r#", "network-interfaces": [{{"iface_id": "eth0", "fd": {number}, "mtu": 1400,
            "tx_rate_limiter": {{"ops": {{"size": 9, "refill_time": 9}}}}}}]"#
    ));
    let mut command = vm.command();
    handed_over::inherit(&mut command, handed_over.into());
    let child = command.spawn().unwrap();
    // It has this test's end of it.
    drop(command);
    let mut frame = [0; 24];
    peer.read_exact(&mut frame).unwrap();
    assert_eq!(&frame, b"\0\0\0\x14a frame of Ethernet.");
    peer.write_all(b"\0\0\0\x11its answer ends !").unwrap();
    let Outcome { status, stdout, stderr } = finish(child);
    assert_eq!((status, &*stdout, &*stderr), (0, "!", ""));
    assert_eq!(peer.read(&mut frame).unwrap(), 0, "closed with the VM");
}

const MAC: [u8; 6] = [6, 0, 0, 0, 0, 2];

/// A datagram over IPv4 from port 40000 of the guest, 10.0.0.2.
fn datagram(to: [u8; 4], port: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = [[2; 6], MAC].concat();
    let length = payload.len() as u16;
    frame.extend([8, 0, 0x45, 0]);
    frame.extend((length + 28).to_be_bytes());
    frame.extend([0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2]);
    frame.extend(to);
    frame.extend([40_000, port, length + 8, 0].map(u16::to_be_bytes).concat());
    frame.extend(payload);
    frame
}

/// A question for the IPv4 address of `evil` (RFC 1035 §4.1), to 10.0.0.3.
fn question() -> Vec<u8> {
    datagram([10, 0, 0, 3], 53, b"id\x01\0\0\x01\0\0\0\0\0\0\x04evil\0\0\x01\0\x01")
}

/// Runs a guest that sends this frame, may reach 10.0.0.9, and ask 10.0.0.3 for `good`. What it prints, what its peer got,
/// and what its interface told.
fn filtered(
    frame: &[u8],
    place: u64,
    answer: &[u8],
) -> (Outcome, Vec<u8>, egress_rules::InterfaceReport) {
    let vm = Vm::new(&driver(1 << 16, frame, place));
    let (mut peer, handed_over) = UnixStream::pair().unwrap();
    let report = memfd_create("report", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&report, PAGE_SIZE as u64).unwrap();
    fcntl_add_seals(&report, SealFlags::SHRINK).unwrap();
    let its_report = report.try_clone().unwrap();
    let numbers = [handed_over.as_raw_fd(), its_report.as_raw_fd()];
    vm.configure(&format!(
        r#", "network-interfaces": [{{"iface_id": "eth0", "fd": {}, "report_fd": {},
            "guest_mac": "06:00:00:00:00:02", "egress": {{"ipv4": ["10.0.0.2"], "resolvers": ["10.0.0.3"],
            "rules": ["10.0.0.9", "good"]}}}}]"#,
        numbers[0], numbers[1]
    ));
    let mut command = vm.command();
    handed_over::inherit(&mut command, handed_over.into());
    handed_over::inherit(&mut command, its_report);
    let child = command.spawn().unwrap();
    drop(command);
    peer.write_all(answer).unwrap();
    let outcome = finish(child);
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
    let mut sent = Vec::new();
    peer.read_to_end(&mut sent).unwrap();
    let (report, mut head) = (File::from(report), [0; PAGE_HEADER]);
    report.read_exact_at(&mut head, 0).unwrap();
    assert!(head[0].is_multiple_of(2), "it was written whole");
    let mut text = vec![0; u64::from_le_bytes(head[8..].try_into().unwrap()) as usize];
    report.read_exact_at(&mut text, PAGE_HEADER as u64).unwrap();
    (outcome, sent, serde_json::from_slice(&text).unwrap())
}

#[test]
fn a_guest_is_refused_a_name_in_the_jail_and_nobody_else_hears_of_it() {
    if !kvm_is_there("a_guest_is_refused_a_name_in_the_jail_and_nobody_else_hears_of_it") {
        return;
    }
    // The answer's number is the question's.
    let (Outcome { status, stdout, stderr }, sent, report) = filtered(&question(), 42, b"");
    assert_eq!((status, &*stdout, &*stderr), (0, "i", ""));
    assert_eq!(sent, b"");
    assert_eq!((report.counters.rx.packets, report.counters.tx.packets), (1, 0));
    assert_eq!(report.counters.tx.dropped, 1);
    let egress = report.egress.unwrap();
    assert_eq!((egress.dropped, &*egress.names[0].name), (1, "evil"));
}

#[test]
fn a_guest_with_a_filter_reaches_what_it_may() {
    if !kvm_is_there("a_guest_with_a_filter_reaches_what_it_may") {
        return;
    }
    let frame = datagram([10, 0, 0, 9], 7, b"ok");
    let answer = b"\0\0\0\x11its answer ends !";
    let (Outcome { status, stdout, stderr }, sent, report) = filtered(&frame, 16, answer);
    assert_eq!((status, &*stdout, &*stderr), (0, "!", ""));
    assert_eq!(sent, [&(frame.len() as u32).to_be_bytes(), &frame[..]].concat());
    let traffic = |bytes| Traffic { bytes, packets: 1, dropped: 0 };
    let counters = Counters { rx: traffic(17), tx: traffic(frame.len() as u64) };
    assert_eq!(report.counters, counters);
    assert_eq!(report.egress, Some(egress_rules::Report::default()));
}

/// With all offloads, which the VM's process asks of the TAP when its guest's driver has chosen.
#[test]
fn a_guest_talks_to_the_hosts_kernel_through_a_tap() {
    let test = "a_guest_talks_to_the_hosts_kernel_through_a_tap";
    if !kvm_is_there(test) || !is_root(test) {
        return;
    }
    // An ARP request for 10.0.0.1 (RFC 826), and two bytes that fill it up.
    let mac = [6, 0, 0, 0, 0, 2];
    let mut frame = [[0xff; 6], mac, [8, 6, 0, 1, 8, 0]].concat();
    frame.extend([6, 4, 0, 1]);
    frame.extend(mac);
    frame.extend([10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1, 0, 0]);
    // VIRTIO_NET_F_CSUM, GUEST_CSUM, GUEST_TSO4, GUEST_TSO6, HOST_TSO4, HOST_TSO6, MRG_RXBUF, STATUS.
    let vm = Vm::new(&driver(0x1_9983, &frame, 21));
    vm.configure(r#", "network-interfaces": [{"iface_id": "eth0", "host_dev_name": "tap0"}]"#);
    let plain = vm.command();
    let mut command = Command::new("unshare");
    // The kernel says nothing of its own accord without IPv6.
    let script = "set -e; echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; ip tuntap add tap0 mode tap; \
                  ip address add 10.0.0.1/24 dev tap0; ip link set tap0 up; exec \"$@\"";
    command.args(["--net", "sh", "-c", script, "sh"]).arg(plain.get_program());
    command.args(plain.get_args());
    for set in [Command::stdin, Command::stdout, Command::stderr] {
        set(&mut command, std::process::Stdio::piped());
    }
    let Outcome { status, stdout, stderr } = run(command, b"");
    // An answer's operation.
    assert_eq!((status, &*stdout, &*stderr), (0, "\x02", ""));
}

#[test]
fn an_interface_that_is_not_there_is_refused_in_one_line() {
    let vm = Vm::new(&Code::new().print("never").power_off().into_kernel());
    for (source, status, words) in [
        (r#""fd": 99"#, 1, "network-interfaces, \"eth0\": fd 99: is not open; must be inherited"),
        (r#""host_dev_name": "nonesuch0""#, 1, "host_dev_name \"nonesuch0\": there is none in"),
        (r#""socket": "/nonesuch/passt""#, 1, "socket /nonesuch/passt: No such file"),
        (r#""fd": 99, "report_fd": 98"#, 1, "report_fd 98: must be an inherited memfd of 524288"),
        (r#""fd": 1"#, 2, "vm.json: network-interfaces[0].fd: 1: expected 3 to 2147483647"),
    ] {
        vm.configure(&format!(r#", "network-interfaces": [{{"iface_id": "eth0", {source}}}]"#));
        let outcome = vm.run(b"");
        assert_eq!((outcome.status, &*outcome.stdout), (status, ""), "{outcome:?}");
        let line = outcome.stderr.strip_suffix('\n').unwrap();
        assert!(line.contains(words) && !line.contains('\n'), "{line}");
    }
}
