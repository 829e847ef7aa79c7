//! A Linux guest's network interface, from its driver to whoever is at the other end of the link.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use bulkhead_tests::{HERE, Running, World, busybox_initramfs, have};
use serde_json::json;

/// The guest's first program: says what interface it has found, calls the peer, and waits until that is gone.
const INIT: &str = "#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
for module in failover.ko net_failover.ko virtio_net.ko virtio_mmio.ko; do
    /bin/busybox test -e /$module && /bin/busybox insmod /$module
done
is() { /bin/busybox ip link show eth0 2>/dev/null | /bin/busybox grep -q \"$1\"; }
await() { for step in $(/bin/busybox seq 300); do is \"$1\" && return; /bin/busybox sleep 0.1; done; }
{
await eth0
echo
/bin/busybox ip link show eth0 | /bin/busybox grep -o 'mtu [0-9]*\\|ether [0-9a-f:]*'
/bin/busybox ip address add 10.0.0.2/24 dev eth0
/bin/busybox ip link set eth0 up
/bin/busybox ping -c 1 -W 30 10.0.0.1 >/dev/null && echo answered
await NO-CARRIER
is NO-CARRIER && echo alone
} > /dev/console 2>&1
/bin/busybox reboot -f
";

/// The peer's hardware address.
const MAC: [u8; 6] = [6, 0, 0, 0, 0, 1];
/// EtherTypes.
const ARP: [u8; 2] = [0x08, 0x06];
const IPV4: [u8; 2] = [0x08, 0x00];
/// The protocol of ICMP (RFC 792), and its requests for an echo.
const ICMP: u8 = 1;
const ECHO: u8 = 8;

/// A machine with the address 10.0.0.1, which goes when it has answered an echo. Each frame has its length before it, as passt
/// has it.
fn peer(mut link: UnixStream) {
    let mut length = [0; 4];
    while link.read_exact(&mut length).is_ok() {
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        link.read_exact(&mut frame).unwrap();
        let is_echo = frame[12..14] == IPV4 && frame[23] == ICMP && frame[34] == ECHO;
        if is_echo {
            let addresses = frame[26..34].to_vec();
            frame[26..30].copy_from_slice(&addresses[4..]);
            frame[30..34].copy_from_slice(&addresses[..4]);
            // Without the request's number its checksum is so much more, with the carry at the other end (RFC 1071).
            let sum =
                u32::from(u16::from_be_bytes([frame[36], frame[37]])) + (u32::from(ECHO) << 8);
            frame[36..38].copy_from_slice(&((sum + (sum >> 16)) as u16).to_be_bytes());
            frame[34] = 0;
        } else if frame[12..14] == ARP && frame[20..22] == [0, 1] && frame[38..42] == [10, 0, 0, 1]
        {
            // Who has asked is whom it is told (RFC 826).
            frame.copy_within(22..32, 32);
            frame[20..28].copy_from_slice(&[&[0, 2][..], &MAC].concat());
            frame[28..32].copy_from_slice(&[10, 0, 0, 1]);
        } else {
            continue;
        }
        frame.copy_within(6..12, 0);
        frame[6..12].copy_from_slice(&MAC);
        link.write_all(&[&length[..], &frame].concat()).unwrap();
        if is_echo {
            return;
        }
    }
}

#[test]
#[ignore = "needs KVM: cargo xtask test"]
fn a_guest_finds_its_interface_and_calls_until_the_peer_is_gone() {
    let test = "a_guest_finds_its_interface_and_calls_until_the_peer_is_gone";
    if !have(test, &["busybox"]) {
        return;
    }
    let Some(world) = World::new(test) else { return };
    busybox_initramfs(&world, INIT);
    let config = json!({
        "boot-source": {
            "kernel_image_path": world.kernel(),
            "initrd_path": world.path("initramfs"),
            "boot_args": format!("console={} reboot=k panic=1 pci=off quiet loglevel=1", HERE.console),
        },
        "machine-config": { "vcpu_count": 1, "mem_size_mib": 128 },
        "network-interfaces": [{
            "iface_id": "eth0", "socket": world.path("network"), "guest_mac": "06:00:00:00:00:02", "mtu": 1400,
        }],
    });
    fs::write(world.path("vm.json"), config.to_string()).unwrap();
    let listener = UnixListener::bind(world.path("network")).unwrap();
    let peer = thread::spawn(move || peer(listener.accept().unwrap().0));
    let mut vmm = world.command("bulkhead-vmm");
    let outcome = Running::start(vmm.args(["--no-api", "--config-file", "vm.json"]), "").wait();
    let console = outcome.stdout.replace('\r', "");
    let expected = "\nmtu 1400\nether 06:00:00:00:00:02\nanswered\nalone\n";
    assert!(console.contains(expected), "{outcome:?}");
    assert_eq!(outcome.status, 0, "{outcome:?}");
    let is_told = outcome.stderr.contains("\"eth0\": nobody is at its other end any more");
    assert!(is_told && outcome.stderr.lines().count() == 1, "{outcome:?}");
    peer.join().unwrap();
    world.assert_nothing_left();
}
