//! Frames by hand, at the TAP's descriptor.

use std::net::UdpSocket;

use super::*;
use crate::network::testing::await_readable;

/// linux/virtio_net.h: the length of `struct virtio_net_hdr`, in bytes, which a TAP has before its frames.
const HEADER: usize = 10;

/// The next frame with this EtherType, without what the kernel says unasked.
fn receive(tap: &OwnedFd, kind: [u8; 2]) -> Vec<u8> {
    loop {
        await_readable(tap);
        let mut bytes = vec![0; 2048];
        let length = rustix::io::read(tap, &mut bytes[..]).unwrap();
        let frame = bytes[HEADER..length].to_vec();
        if frame[12..14] == kind {
            return frame;
        }
    }
}

fn send(tap: &OwnedFd, frame: &[u8]) {
    let packet = [&[0; HEADER], frame].concat();
    assert_eq!(rustix::io::write(tap, &packet).unwrap(), packet.len());
}

/// RFC 826: who asks (1) or answers (2), and about whom.
fn arp(operation: u8, from: (&[u8], [u8; 4]), to: (&[u8], [u8; 4])) -> Vec<u8> {
    let receiver = if operation == 1 { &[0xff; 6] } else { to.0 };
    let head = [8, 6, 0, 1, 8, 0, 6, 4, 0, operation];
    [receiver, from.0, &head, from.0, &from.1, to.0, &to.1].concat()
}

#[test]
fn what_the_other_end_asks_arrives_and_the_answer_goes_back() {
    let test = "what_the_other_end_asks_arrives_and_the_answer_goes_back";
    let Some([outside, container]) = TestNet::some(test) else { return };
    veth(&outside, &container);
    let records = tempfile::tempdir().unwrap();
    let attached = attach(&container.path(), records.path(), OWNER).unwrap();
    let AttachedInterface { tap, interface, .. } = &attached.interfaces[0];
    let ours = (&interface.mac.0[..], [10, 0, 0, 2]);

    // Somebody outside sends something to the container's address.
    let socket = outside.inside(|| UdpSocket::bind("10.0.0.1:7").unwrap());
    socket.send_to(b"a word", "10.0.0.2:9").unwrap();
    let question = receive(tap, [8, 6]);
    let asker = (&question[6..12], [10, 0, 0, 1]);
    assert_eq!(question[20..22], [0, 1]);
    assert_eq!(question[28..32], asker.1);
    assert_eq!(question[38..42], ours.1);
    send(tap, &arp(2, ours, asker));
    let word = receive(tap, [8, 0]);
    assert_eq!(word[..6], *ours.0);
    assert!(word.ends_with(b"a word"), "{word:?}");

    // Nobody has answered for the guest: the namespace, which has the same address, hears nothing.
    send(tap, &arp(1, ours, (&[0; 6], asker.1)));
    let answer = loop {
        let frame = receive(tap, [8, 6]);
        if frame[20..22] == [0, 2] {
            break frame;
        }
    };
    assert_eq!((&answer[6..12], &answer[28..32]), (asker.0, &asker.1[..]));
    assert_eq!(answer[..6], *ours.0);
}

#[test]
fn the_shortest_frame_goes_through() {
    let Some([outside, container]) = TestNet::some("the_shortest_frame_goes_through") else {
        return;
    };
    veth(&outside, &container);
    // Nobody else says anything.
    outside.run("ip -6 address flush dev peer0");
    let records = tempfile::tempdir().unwrap();
    let attached = attach(&container.path(), records.path(), OWNER).unwrap();
    let AttachedInterface { tap, interface, .. } = &attached.interfaces[0];
    let received = || {
        let text = outside.run("ip -s -o link show peer0");
        let numbers = text.split("RX:").nth(1).unwrap().split('\\').nth(1).unwrap();
        numbers.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = received();
    // One byte behind the EtherType, of local experiments (IEEE 802).
    send(tap, &[&[0xff; 6][..], &interface.mac.0, &[0x88, 0xb5, 1]].concat());
    while received() == before {
        std::thread::yield_now();
    }
}
