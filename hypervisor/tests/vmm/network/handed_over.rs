//! What a VM's process has that was given the other end of its guest's link, and a door to nothing else.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;

use crate::guest::Code;
use crate::proc::{assert_locked_in, descriptors, field, limits, until};
use crate::process::{Vm, is_root, kvm_is_there};
use crate::running::Running;
use crate::user::User;

/// The part of a configuration with interfaces that are these descriptors.
pub fn interfaces(descriptors: &[OwnedFd]) -> String {
    let interface = |(index, descriptor): (usize, &OwnedFd)| {
        let number = descriptor.as_raw_fd();
        format!(r#"{{"iface_id": "eth{index}", "fd": {number}, "mtu": 1400}}"#)
    };
    let all: Vec<String> = descriptors.iter().enumerate().map(interface).collect();
    format!(r#", "network-interfaces": [{}]"#, all.join(", "))
}

/// Has the command inherit the descriptor, and nobody else who is started meanwhile. It is open as long as the command is there.
pub fn inherit(command: &mut Command, descriptor: OwnedFd) {
    let clear = move || {
        // SAFETY: the descriptor is the closure's own.
        match unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFD, 0) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec the closure only makes a system call.
    unsafe { command.pre_exec(clear) };
}

/// A TAP in a network namespace that goes with it.
pub fn tap() -> OwnedFd {
    /// `struct ifreq` with flags (linux/if.h).
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        flags: i16,
        rest: [u8; 22],
    }

    let make = || {
        let flags = (libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR) as i16;
        let mut request = Request { name: *b"tap0\0\0\0\0\0\0\0\0\0\0\0\0", flags, rest: [0; 22] };
        // SAFETY: this thread has a network of its own from then on.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0);
        let tap = OpenOptions::new().read(true).write(true).open("/dev/net/tun").unwrap();
        // SAFETY: TUNSETIFF reads and writes a `struct ifreq`.
        let made = unsafe { libc::ioctl(tap.as_raw_fd(), libc::TUNSETIFF as _, &mut request) };
        assert_eq!(made, 0, "{}", io::Error::last_os_error());
        tap.into()
    };
    thread::spawn(make).join().unwrap()
}

/// Who starts the VM.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Who {
    Root,
    RootForAnother,
    Anybody,
}

/// Starts a VM of theirs with this interface, and looks at what it has. `name` is what the descriptor is called.
fn look_at(who: Who, descriptor: OwnedFd, name: &str) -> Running {
    let vm = Vm::new(&Code::new().print("go").forever().into_kernel());
    let vm = if who == Who::RootForAnother { vm.argument("--uid").argument("100007") } else { vm };
    vm.configure(&interfaces(std::slice::from_ref(&descriptor)));
    let anybody = User::new();
    let mut command = if who == Who::Anybody { anybody.command(&vm) } else { vm.command() };
    command.stdin(Stdio::null());
    inherit(&mut command, descriptor);
    let running = Running::spawn(&mut command);
    let inner = running.inner;
    // Threads, capabilities, filters, namespaces, the root and the network, as without an interface.
    assert_locked_in(inner);
    let user = match who {
        Who::Root => "0",
        Who::RootForAnother => "100007",
        Who::Anybody => "65534",
    };
    assert_eq!(field(inner, "Uid").unwrap(), [user; 4].join(" "), "{who:?}");
    // This one, and what a VM has without it.
    let found = descriptors(inner);
    let known = |name: &&String| {
        let usual = ["/dev/null", "pipe"].contains(&name.as_str());
        usual || name.starts_with("anon_inode:") || name.contains("pidfd")
    };
    let others: Vec<_> = found.iter().filter(|name| !known(name)).collect();
    assert_eq!(others, [name], "{who:?}: {found:?}");
    let [soft, hard] = limits(inner, "Max open files").map(|limit| limit.parse::<usize>().unwrap());
    assert!(soft == hard && soft < 60, "{who:?}: {soft} {hard}");
    // Whoever is called so has closed the rest.
    until(|| field(running.outer(), "Name").as_deref() == Some("bulkhead-jailer"));
    let outer = descriptors(running.outer());
    assert!(outer.len() == 3 && !outer.iter().any(|other| other == name), "{who:?}: {outer:?}");
    running
}

const ALL: [Who; 3] = [Who::Root, Who::RootForAnother, Who::Anybody];

#[test]
fn a_vm_with_a_socket_is_as_locked_in_as_any() {
    let test = "a_vm_with_a_socket_is_as_locked_in_as_any";
    if !kvm_is_there(test) || !is_root(test) {
        return;
    }
    for who in ALL {
        let (mut peer, handed_over) = UnixStream::pair().unwrap();
        let running = look_at(who, handed_over.into(), "socket");
        running.kill(running.inner, libc::SIGKILL);
        // Nobody else has it.
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "{who:?}");
        assert_eq!(running.finish().status, -libc::SIGKILL);
    }
}

#[test]
fn a_vm_with_a_tap_is_as_locked_in_as_any() {
    let test = "a_vm_with_a_tap_is_as_locked_in_as_any";
    if !kvm_is_there(test) || !is_root(test) {
        return;
    }
    for who in ALL {
        assert_eq!(look_at(who, tap(), "/dev/net/tun").end(), "", "{who:?}");
    }
}
