//! The network device: a guest whose packets, buffers and rings mean harm, and a peer whose packets do.

mod guest;

use devices::virtio::net::{F_MRG_RXBUF, HEADER_LEN, MAX_FRAME, OFFLOADS, RX, TX};
use vm_memory::{Bytes, GuestAddress};

use super::driver::{NEXT, WRITE, get, negotiate, put, register};
use guest::{BUFFER_AT, Bench, END, PACKET_AT, SIZE, packet, with_header};

/// What is in the buffers before.
const UNTOUCHED: u8 = 0x55;
/// An Ethernet header (IEEE 802.3 §3.1).
const ETHERNET: usize = 14;

/// What a header may say (virtio 1.2 §5.1.6).
const NEEDS_CSUM: u8 = 1;
const TCPV4: u8 = 1;
const TCPV6: u8 = 4;

/// Firecracker's device stood still for ever with frames waiting on both sides: what it took in first waited for buffers, and
/// whoever could have made room was not heard meanwhile.
#[test]
fn cve_2020_16843_a_link_that_is_full_both_ways_goes_on_by_either() {
    for first in [RX, TX] {
        let mut bench = Bench::new(F_MRG_RXBUF);
        bench.peer.world().room = 0;
        bench.peer.world().to_guest.extend((0..40).map(|frame| packet(100 + frame)));
        bench.mem.write_slice(&packet(80), GuestAddress(PACKET_AT)).unwrap();
        for head in 0..SIZE {
            bench.rings[TX].describe(head, &[(PACKET_AT, HEADER_LEN as u32 + 80, 0)]);
            bench.rings[TX].offer(head);
            bench.rest(TX);
        }
        let given = |bench: &mut Bench, queue: usize| {
            std::iter::from_fn(|| bench.rings[queue].take_used()).count()
        };
        assert_eq!([RX, TX].map(|queue| given(&mut bench, queue)), [0, 0]);
        assert_eq!(bench.peer.world().to_guest.len(), 39, "one waits here");
        for queue in [first, 1 - first] {
            if queue == TX {
                bench.peer.world().room = usize::MAX;
                bench.rest(TX);
                assert_eq!((given(&mut bench, TX), bench.frames().len()), (16, 16));
            } else {
                for head in 0..SIZE {
                    bench.offer(head, &[(BUFFER_AT, 0x1000, WRITE)]);
                }
                assert_eq!(given(&mut bench, RX), 16);
            }
        }
        assert_eq!(bench.peer.world().to_guest.len(), 40 - 16 - 1);
    }
}

/// QEMU's device wrote how many buffers a packet took after it had given back the memory of the first. Where that was not plain
/// memory, it was a copy, freed by then.
#[test]
fn cve_2021_3748_no_packet_is_begun_before_all_its_buffers_are_known_to_be_memory() {
    let wrong = [
        (END - 8, 4096),
        (END, 4096),
        (u64::MAX - 8, 4096),
        (0xfee0_0000, 64),
        (PACKET_AT, u32::MAX),
    ];
    for (address, len) in wrong {
        let mut bench = Bench::new(F_MRG_RXBUF);
        bench.mem.write_slice(&[UNTOUCHED; 0x1000], GuestAddress(BUFFER_AT)).unwrap();
        bench.mem.write_slice(&[UNTOUCHED; 0x1000], GuestAddress(END - 0x1000)).unwrap();
        bench.offer(0, &[(BUFFER_AT, 100, WRITE)]);
        bench.offer(1, &[(address, len, WRITE)]);
        bench.give(&packet(1500));
        assert!(bench.is_broken(), "{address:#x} {len}");
        assert_eq!(bench.rings[RX].take_used(), None);
        for place in [BUFFER_AT, END - 0x1000] {
            let mut bytes = [0; 0x1000];
            bench.mem.read_slice(&mut bytes, GuestAddress(place)).unwrap();
            assert!(bytes.iter().all(|&byte| byte == UNTOUCHED), "{address:#x} {len}: {place:#x}");
        }
        bench.start(F_MRG_RXBUF);
        bench.assert_works();
    }
    // Buffers of one place: the guest has said so, and gets them back with what was written to each.
    let mut bench = Bench::new(F_MRG_RXBUF);
    (0..4).for_each(|head| bench.offer(head, &[(BUFFER_AT, 600, WRITE)]));
    bench.give(&packet(1500));
    let used: Vec<_> = std::iter::from_fn(|| bench.rings[RX].take_used()).collect();
    assert_eq!(used, [(0, 600), (1, 600), (2, HEADER_LEN as u32 + 1500 - 1200)]);
}

/// QEMU's device copied the header of a packet by the length of the largest there is to a place with room for the one that was
/// agreed.
#[test]
fn cve_2023_6693_there_is_one_header_of_one_length_in_whatever_pieces() {
    let mut bench = Bench::new(F_MRG_RXBUF | OFFLOADS);
    let mut offered = 0;
    for half in [0, 1] {
        put(&mut bench.mmio, register::DEVICE_FEATURES_SEL, half);
        offered |= u64::from(get(&mut bench.mmio, register::DEVICE_FEATURES)) << (32 * half);
    }
    for feature in (0..64).filter(|feature| offered >> feature & 1 == 0) {
        assert!(!negotiate(&mut bench.mmio, 1 << feature), "{feature}");
    }
    bench.start(F_MRG_RXBUF);
    let whole = packet(60);
    bench.mem.write_slice(&whole, GuestAddress(PACKET_AT)).unwrap();
    let len = whole.len() as u32;
    for first in 0..=len {
        for second in [0, 1, 7, 12] {
            let second = second.min(len - first);
            let rest = first + second;
            assert!(bench.send(&[
                (PACKET_AT, first, 0),
                (PACKET_AT + u64::from(first), second, 0),
                (PACKET_AT + u64::from(rest), len - rest, 0),
            ]));
            assert_eq!(bench.frames(), [&whole[HEADER_LEN..]], "{first} {second}");
        }
    }
    // To the guest likewise, and what does not fit goes nowhere.
    for first in 1..len {
        bench.mem.write_slice(&[UNTOUCHED; 0x100], GuestAddress(BUFFER_AT)).unwrap();
        let second = BUFFER_AT + u64::from(first);
        bench.offer(0, &[(BUFFER_AT, first, WRITE), (second, len - first, WRITE)]);
        bench.give(&whole);
        assert_eq!(bench.rings[RX].take_used(), Some((0, len)));
        let mut got = [0; 0x100];
        bench.mem.read_slice(&mut got, GuestAddress(BUFFER_AT)).unwrap();
        let mut expected = [whole.clone(), vec![UNTOUCHED; 0x100 - whole.len()]].concat();
        expected[10] = 1;
        assert_eq!(got[..], expected);
    }
    assert!(!bench.is_broken());
}

/// Linux' TAP took a frame without an Ethernet header from whoever has its descriptor, and read beyond it. None gets there, nor one
/// that is longer than a TAP's longest.
#[test]
fn cve_2024_41090_and_41091_a_frame_has_a_header_and_an_end() {
    let mut bench = Bench::new(OFFLOADS);
    for len in 0..HEADER_LEN + ETHERNET {
        assert!(bench.send_packet(&packet(len)[..len]), "{len}");
    }
    for frame in [MAX_FRAME + 1, MAX_FRAME + 100, 0x2_0000] {
        assert!(bench.send_packet(&packet(frame)), "{frame}");
    }
    // A chain of many times the guest's memory, which is not copied to find out.
    let all = [(0, END as u32, 0); SIZE as usize];
    assert!(bench.send(&all));
    assert_eq!(bench.frames(), [[0; 0]; 0]);
    for frame in [ETHERNET, MAX_FRAME] {
        assert!(bench.send_packet(&packet(frame)));
        assert_eq!(bench.frames(), [&packet(frame)[HEADER_LEN..]]);
    }
    bench.assert_works();
}

/// Linux believed where a large segment had its checksum, and computed one outside of the packet. A TAP's kernel is the host's: what
/// makes no sense does not get there; nor to the guest's, from a peer.
#[test]
fn cve_2024_43897_a_checksum_is_in_its_packet_and_a_segment_has_tcp_s() {
    const FRAME: usize = 100;
    let end = FRAME as u16;
    let absurd = [
        // A checksum behind the frame's end, or where the sum of both numbers is no number of 16 bits.
        (NEEDS_CSUM, 0, [0, 0, end, 0]),
        (NEEDS_CSUM, 0, [0, 0, end - 1, 0]),
        (NEEDS_CSUM, 0, [0, 0, 34, end - 34 - 1]),
        (NEEDS_CSUM, 0, [0, 0, u16::MAX, 0]),
        (NEEDS_CSUM, 0, [0, 0, 0, u16::MAX]),
        (NEEDS_CSUM, 0, [0, 0, u16::MAX, u16::MAX]),
        (NEEDS_CSUM, 0, [0, 0, 0x8000, 0x8000]),
        // Segments of nothing, without checksums, with headers that are longer than they are.
        (NEEDS_CSUM, TCPV4, [54, 0, 34, 16]),
        (0, TCPV4, [54, 20, 34, 16]),
        (NEEDS_CSUM, TCPV6, [end + 1, 20, 54, 16]),
        (NEEDS_CSUM, TCPV6, [u16::MAX, 20, 54, 16]),
        // What is called TCP and has its checksum where TCP has none, or before IP begins.
        (NEEDS_CSUM, TCPV4, [54, 20, 34, 6]),
        (NEEDS_CSUM, TCPV6, [54, 20, 54, 0]),
        (NEEDS_CSUM, TCPV4, [54, 20, 0, 16]),
        // UFO, UDP segments, ECN and kinds that there are not.
        (NEEDS_CSUM, 3, [42, 20, 34, 6]),
        (NEEDS_CSUM, 5, [42, 20, 34, 6]),
        (NEEDS_CSUM, TCPV4 | 0x80, [54, 20, 34, 16]),
        (NEEDS_CSUM, 2, [54, 20, 34, 16]),
        (NEEDS_CSUM, 0xff, [54, 20, 34, 16]),
    ];
    let mut bench = Bench::new(OFFLOADS);
    bench.offer(0, &[(BUFFER_AT, 0x1000, WRITE)]);
    for fields in absurd {
        let packet = with_header(fields, FRAME);
        assert!(bench.send_packet(&packet), "{fields:?}");
        bench.give(&packet);
        assert_eq!(bench.rings[RX].take_used(), None, "{fields:?}");
        assert_eq!(bench.frames(), [[0; 0]; 0], "{fields:?}");
    }
    for fields in [(NEEDS_CSUM, 0, [0, 0, 34, 6]), (NEEDS_CSUM, TCPV4, [54, 20, 34, 16])] {
        let packet = with_header(fields, FRAME);
        assert!(bench.send_packet(&packet));
        assert_eq!(bench.peer.world().from_guest.pop(), Some(packet), "{fields:?}");
    }
    // Without what was not agreed, the same is absurd.
    bench.start(0);
    assert!(bench.send_packet(&with_header((NEEDS_CSUM, 0, [0, 0, 34, 6]), FRAME)));
    assert_eq!(bench.frames(), [[0; 0]; 0]);
    bench.assert_works();
}

/// In Cloud Hypervisor a chain that broke the rules ended the thread that served the device (its pull request 8142), in rust-vmm's
/// queue a loop kept one busy (vm-virtio, 196). Here the device is stopped at once, the driver told, and a reset is a new beginning.
#[test]
fn rings_that_break_the_rules_stop_the_device_until_its_reset() {
    type Break = fn(&Bench, usize);
    let describe = |bench: &Bench, queue: usize, index: u64, words: [u64; 2]| {
        let at = bench.rings[queue].table() + 16 * index;
        bench.mem.write_obj(words, GuestAddress(at)).unwrap();
    };
    // Address, then length, flags and next.
    let word = |len: u64, flags: u16, next: u64| len | u64::from(flags) << 32 | next << 48;
    let kinds: [(&str, [[u64; 2]; 2]); 6] = [
        ("a loop of one", [[PACKET_AT, word(20, NEXT, 0)], [0, 0]]),
        ("a loop of two", [[PACKET_AT, word(20, NEXT, 1)], [PACKET_AT, word(0, NEXT, 0)]]),
        ("the next is outside", [[PACKET_AT, word(20, NEXT, SIZE.into())], [0, 0]]),
        ("no memory", [[END, word(20, 0, 0)], [0, 0]]),
        ("memory that ends", [[END - 10, word(20, 0, 0)], [0, 0]]),
        ("an address without end", [[u64::MAX - 4, word(20, 0, 0)], [0, 0]]),
    ];
    for queue in [RX, TX] {
        let flags = if queue == RX { u64::from(WRITE) << 32 } else { 0 };
        for (name, descriptors) in kinds {
            let mut bench = Bench::new(F_MRG_RXBUF);
            for (index, [address, rest]) in (0..).zip(descriptors) {
                describe(&bench, queue, index, [address, rest | flags]);
            }
            bench.rings[queue].offer(0);
            bench.give(&packet(60));
            bench.rest(queue);
            assert!(bench.is_broken() && bench.frames().is_empty(), "{name}, queue {queue}");
            assert_eq!(bench.rings[queue].take_used(), None);
            bench.peer.world().to_guest.clear();
            bench.start(F_MRG_RXBUF);
            bench.assert_works();
        }
        let breaks: [(&str, Break); 3] = [
            ("a head outside", |bench, queue| {
                let at = bench.rings[queue].available();
                bench.mem.write_obj([0, 1, SIZE], GuestAddress(at)).unwrap();
            }),
            ("more than there are", |bench, queue| {
                let at = bench.rings[queue].available();
                bench.mem.write_obj([0, SIZE + 1], GuestAddress(at)).unwrap();
            }),
            ("for the other side to read or write", |bench, queue| {
                let flags = if queue == RX { 0 } else { WRITE };
                bench.rings[queue].describe(0, &[(PACKET_AT, 80, flags)]);
                let at = bench.rings[queue].available();
                bench.mem.write_obj([0u16, 1], GuestAddress(at)).unwrap();
            }),
        ];
        for (name, break_it) in breaks {
            let mut bench = Bench::new(F_MRG_RXBUF);
            break_it(&bench, queue);
            bench.give(&packet(60));
            bench.rest(queue);
            let is_harmless = queue == TX && bench.rings[queue].take_used() == Some((0, 0));
            assert!(bench.is_broken() || is_harmless, "{name}, queue {queue}");
            assert!(bench.frames().is_empty());
            bench.peer.world().to_guest.clear();
            bench.start(F_MRG_RXBUF);
            bench.assert_works();
        }
    }
}
