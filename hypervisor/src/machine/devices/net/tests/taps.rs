//! TAPs, in a network namespace of the test's own, as root: nothing else can make one.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::thread;

use devices::virtio::net::{F_MAC, F_MRG_RXBUF, F_STATUS, OFFLOADS, Sent};
use rustix::fs::{Mode, OFlags};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::guest::Guest;
use super::tap::Tap;
use super::*;
use crate::config::{Interface, InterfaceSource};
use crate::jail::Inherited;

/// The guest's hardware address.
const MAC: [u8; 6] = [6, 0, 0, 0, 0, 2];

/// Runs `test`, which is called `name`, in a network namespace with nothing in it. Where this user may make none, or no TAP,
/// says that the test is skipped.
fn in_a_namespace(name: &'static str, test: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(move || {
        // SAFETY: the thread has a network namespace of its own from then on; it shares all else.
        if let Err(error) = unsafe { unshare_unsafe(UnshareFlags::NEWNET) } {
            println!("SKIPPED: {name}: no network namespace of its own: {error}");
        } else if let Err(error) = tun() {
            println!("SKIPPED: {name}: /dev/net/tun: {error}");
        } else {
            test();
        }
    });
    thread.join().unwrap();
}

fn tun() -> rustix::io::Result<OwnedFd> {
    rustix::fs::open("/dev/net/tun", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}

/// `ip` of iproute2, of which every host with TAPs has one.
fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

fn interface(source: InterfaceSource) -> Interface {
    let (egress, report) = (None, None);
    Interface { id: "eth0".to_owned(), source, link: Link::default(), egress, report }
}

fn refused(source: InterfaceSource, inherited: &mut Inherited) -> String {
    let Err(error) = open(&interface(source), inherited) else { panic!("it was opened") };
    let text = error.to_string();
    assert!(text.starts_with("network-interfaces, \"eth0\": ") && !text.contains('\n'), "{text}");
    text
}

/// An ARP request of the guest's for 10.0.0.1 (RFC 826), behind a header without offloads.
fn arp_request() -> Vec<u8> {
    let mut packet = vec![0; HEADER_LEN];
    packet.extend([0xff; 6]);
    packet.extend(MAC);
    packet.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    packet.extend(MAC);
    packet.extend([10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
    packet
}

/// Whether a packet is the answer to it.
fn is_arp_reply(packet: &[u8]) -> bool {
    let frame = &packet[HEADER_LEN..];
    frame[..6] == MAC && frame[12..14] == [8, 6] && frame[20..22] == [0, 2]
}

#[test]
fn the_hosts_kernel_answers_through_a_tap_until_it_is_gone() {
    in_a_namespace("the_hosts_kernel_answers_through_a_tap_until_it_is_gone", || {
        ip("tuntap add tap0 mode tap");
        let end =
            open(&interface(InterfaceSource::Tap("tap0".to_owned())), &mut Inherited::default());
        let end = end.unwrap().end;
        ip("address add 10.0.0.1/24 dev tap0");
        ip("link set tap0 up");
        let link = Link { mac: Some(MAC), ..Link::default() };
        let features = F_STATUS | F_MRG_RXBUF | F_MAC | OFFLOADS;
        let mut guest = Guest::new(&link, end, features);
        guest.send(&arp_request());
        // The kernel also has things to say that nobody asked for.
        while !is_arp_reply(&guest.receive()) {}
        ip("link delete tap0");
        guest.wait(|guest| (!guest.is_link_up()).then_some(()));
    });
}

#[test]
fn a_tap_is_handed_over_by_its_number() {
    in_a_namespace("a_tap_is_handed_over_by_its_number", || {
        let descriptor = tun().unwrap();
        Tap::attach(&descriptor, "tap7").unwrap();
        let number = descriptor.as_raw_fd();
        let source = InterfaceSource::Descriptor(number);
        let opened = open(&interface(source), &mut Inherited::of(number, descriptor)).unwrap();
        let End::Tap(mut tap) = opened.end else { panic!("a TAP") };
        assert_eq!(tap.offloads(), OFFLOADS);
        tap.set_offloads(OFFLOADS).unwrap();
        assert_eq!(tap.receive(&mut [0; 100], &[]), Err(Refusal::WouldBlock));
        // The interface is down: what is sent is lost, and the link stays.
        assert_eq!(tap.send(&arp_request(), &[]), Ok(Sent::Dropped));
        ip("link delete tap7");
        assert_eq!(tap.receive(&mut [0; 100], &[]), Err(Refusal::Gone));
        assert_eq!(tap.send(&arp_request(), &[]), Err(Refusal::Gone));
    });
}

#[test]
fn what_cannot_be_a_tap_is_refused_in_one_line() {
    in_a_namespace("what_cannot_be_a_tap_is_refused_in_one_line", || {
        let nothing = &mut Inherited::default();
        let text = refused(InterfaceSource::Tap("tap0".to_owned()), nothing);
        assert!(text.ends_with("make it: ip tuntap add tap0 mode tap"), "{text}");
        ip("link add veth0 type veth peer name veth1");
        let text = refused(InterfaceSource::Tap("veth0".to_owned()), nothing);
        assert!(text.contains("must be a TAP of one queue"), "{text}");
        let descriptor = tun().unwrap();
        let number = descriptor.as_raw_fd();
        // Attached to nothing.
        let source = InterfaceSource::Descriptor(number);
        let text = refused(source, &mut Inherited::of(number, descriptor));
        assert!(text.contains("an attached TAP or"), "{text}");
    });
}

#[test]
fn what_cannot_be_a_socket_is_refused_in_one_line() {
    let nothing = &mut Inherited::default();
    let text = refused(InterfaceSource::Descriptor(77), nothing);
    assert!(
        text.ends_with("fd 77: is not open; must be inherited from whoever starts this program")
    );
    let (datagrams, _other) = UnixDatagram::pair().unwrap();
    let file = tempfile::tempfile().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0");
    let mut wrong: Vec<OwnedFd> = vec![datagrams.into(), file.into()];
    wrong.extend(listener.map(OwnedFd::from));
    for descriptor in wrong {
        let text = refused(InterfaceSource::Descriptor(9), &mut Inherited::of(9, descriptor));
        let expected = "fd 9: must be an attached TAP or a connected Unix stream socket";
        assert!(text.ends_with(expected), "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passt.sock");
    let text = refused(InterfaceSource::Socket(path.clone()), nothing);
    assert!(text.contains("passt.sock: No such file"), "{text}");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    open(&interface(InterfaceSource::Socket(path)), nothing).unwrap();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let source = InterfaceSource::Descriptor(9);
    open(&interface(source), &mut Inherited::of(9, ours.into())).unwrap();
}
