//! A guest that the test plays: the VM's end of an interface is connected with a TAP in a network namespace, where the test's own
//! sockets are.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use bulkhead_tests::tool;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::helper::Helper;

/// linux/if_tun.h.
const TUNSETIFF: Opcode = opcode::write::<i32>(b'T', 202);

/// linux/if_tun.h: IFF_TAP, IFF_NO_PI and IFF_VNET_HDR, as the other end has them.
const FLAGS: i16 = 0x0002 | 0x1000 | 0x4000;

/// `struct ifreq` with flags (linux/if.h).
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: i16,
    rest: [u8; 22],
}

type Work = Box<dyn FnOnce() + Send>;

/// One of them. It is there until this and its namespace's sockets are gone.
pub struct Guest {
    work: Sender<Work>,
    _stop: OwnedFd,
}

impl Guest {
    /// With what the helper has told, and the only end that it has given.
    pub fn new(helper: &mut Helper) -> Self {
        let end = helper.ends.pop().unwrap();
        let told = helper.answer["Joined"]["guest"]["interfaces"][0].clone();
        let (stopped, stop) = rustix::pipe::pipe().unwrap();
        let (work, works) = channel::<Work>();
        let (up, is_up) = channel();
        thread::spawn(move || {
            // SAFETY: the thread has a network namespace of its own from then on.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
            let tap = create().unwrap();
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            let ip = |line: &str| tool("ip", &line.split(' ').collect::<Vec<_>>());
            let address = &told["addresses"][0];
            ip("link set lo up");
            let mac = told["mac"].as_array().unwrap().iter();
            let mac: Vec<String> =
                mac.map(|byte| format!("{:02x}", byte.as_u64().unwrap())).collect();
            ip(&format!("link set eth0 address {}", mac.join(":")));
            ip(&format!("address add {}/{} dev eth0", text(&address["ip"]), address["prefix"]));
            ip("link set eth0 up");
            let mut gateways = told["routes"].as_array().unwrap().iter();
            if let Some(gateway) = gateways.find_map(|route| route["gateway"].as_str()) {
                ip(&format!("route add default via {gateway}"));
            }
            thread::spawn(move || carry(&tap, &end, &stopped));
            up.send(()).unwrap();
            works.into_iter().for_each(|work| work());
        });
        is_up.recv().expect("a guest did not come up");
        Self { work, _stop: stop }
    }

    /// What comes of this in its namespace.
    pub fn within<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (result, results) = channel();
        let work = move || drop(result.send(work()));
        self.work.send(Box::new(work)).unwrap();
        results.recv().expect("a guest has failed")
    }
}

fn create() -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let tap = openat(CWD, "/dev/net/tun", flags, Mode::empty())?;
    let mut request = InterfaceRequest { name: [0; 16], flags: FLAGS, rest: [0; 22] };
    request.name[..4].copy_from_slice(b"eth0");
    // SAFETY: TUNSETIFF reads a `struct ifreq` and writes one, of plain numbers, to the same place.
    unsafe { ioctl(&tap, Updater::<TUNSETIFF, _>::new(&mut request)) }?;
    Ok(tap)
}

/// Carries frames both ways, until the other end of `stopped` is closed.
fn carry(one: &OwnedFd, other: &OwnedFd, stopped: &OwnedFd) {
    let mut frame = vec![0; 1 << 17];
    loop {
        let mut polled = [
            PollFd::new(one, PollFlags::IN),
            PollFd::new(other, PollFlags::IN),
            PollFd::new(stopped, PollFlags::empty()),
        ];
        poll(&mut polled, None).unwrap();
        if !polled[2].revents().is_empty() {
            return;
        }
        for (from, to) in [(one, other), (other, one)] {
            while let Ok(length) = rustix::io::read(from, &mut frame[..]) {
                // What comes too early is lost as on any wire.
                let _ = rustix::io::write(to, &frame[..length]);
            }
        }
    }
}
