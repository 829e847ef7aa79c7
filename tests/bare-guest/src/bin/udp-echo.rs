//! Not a kernel but a program for containers: sends each datagram back that comes to port 7 (RFC 862), over IPv4 and, where
//! there is one, over IPv6. Prints `echo` when it is there.
#![cfg_attr(freestanding, no_std, no_main)]

#[cfg(freestanding)]
#[path = "../linux.rs"]
mod linux;

#[cfg(freestanding)]
mod program {
    use core::mem::MaybeUninit;

    use crate::linux::{call, exit};

    /// RFC 862.
    const PORT: u16 = 7;

    /// The longest datagram that comes back whole, in bytes.
    const LENGTH: usize = 2048;

    /// linux/socket.h.
    const AF_INET6: u16 = 10;
    const SOCK_DGRAM: usize = 2;

    /// `struct sockaddr_in6` (linux/in6.h), whose port is in the network's order. IPv4 comes through it, too (ipv6(7)).
    #[repr(C)]
    struct Address {
        family: u16,
        port: u16,
        flow: u32,
        ip: [u32; 4],
        scope: u32,
    }

    // arch/x86/entry/syscalls/syscall_64.tbl
    #[cfg(target_arch = "x86_64")]
    mod number {
        pub const WRITE: usize = 1;
        pub const SOCKET: usize = 41;
        pub const SENDTO: usize = 44;
        pub const RECVFROM: usize = 45;
        pub const BIND: usize = 49;
    }

    // include/uapi/asm-generic/unistd.h
    #[cfg(target_arch = "aarch64")]
    mod number {
        pub const WRITE: usize = 64;
        pub const SOCKET: usize = 198;
        pub const BIND: usize = 200;
        pub const SENDTO: usize = 206;
        pub const RECVFROM: usize = 207;
    }

    pub extern "C" fn main() -> ! {
        let size = size_of::<Address>();
        let mut address =
            Address { family: AF_INET6, port: PORT.to_be(), flow: 0, ip: [0; 4], scope: 0 };
        let own = (&raw mut address).addr();
        // SAFETY: numbers, an address that is there and this large, and bytes that are there to be read.
        let socket = unsafe {
            let socket = call(number::SOCKET, [AF_INET6.into(), SOCK_DGRAM, 0, 0, 0, 0]);
            if socket < 0 || call(number::BIND, [socket as usize, own, size, 0, 0, 0]) < 0 {
                exit(1);
            }
            call(number::WRITE, [1, c"echo\n".as_ptr().addr(), 5, 0, 0, 0]);
            socket as usize
        };
        // Zeroes would be written by a function of a library that is not there.
        let mut datagram = MaybeUninit::<[u8; LENGTH]>::uninit();
        let bytes = datagram.as_mut_ptr().addr();
        loop {
            let mut length = size as u32;
            let peer = (&raw mut address).addr();
            // SAFETY: a buffer and an address of these lengths, that nothing else uses; as much of both is sent back as came.
            unsafe {
                let got = call(
                    number::RECVFROM,
                    [socket, bytes, LENGTH, 0, peer, (&raw mut length).addr()],
                );
                if got >= 0 {
                    call(number::SENDTO, [socket, bytes, got as usize, 0, peer, length as usize]);
                }
            }
        }
    }
}

#[cfg(not(freestanding))]
fn main() {
    eprintln!("a guest's program: the package's README says how to build it");
    std::process::exit(2);
}
