//! Not a kernel but a Linux guest's first program: connects to its host over TCP, and does what it is told there.
//!
//! An order is 8 bytes, a letter and, from the fifth byte on, a number, the low byte first:
//!
//! | letter | |
//! |---|---|
//! | `s` | sends so many MiB over a connection of their own, and closes it |
//! | `r` | receives over a connection of its own until the host closes it; the number means nothing |
//! | `c` | makes so many connections, one after the other: a byte there, a byte back, and the host closes |
//!
//! After each it sends a byte. At the end of the orders, and where something fails, it ends, and with it the guest.
#![cfg_attr(freestanding, no_std, no_main)]

#[cfg(freestanding)]
#[path = "../linux.rs"]
mod linux;

#[cfg(freestanding)]
mod program {
    use crate::linux::{call, exit};

    /// The guest's only network interface, its address, and its network's mask.
    const INTERFACE: [u8; 16] = *b"eth0\0\0\0\0\0\0\0\0\0\0\0\0";
    const GUEST: [u8; 4] = [192, 0, 2, 2];
    const MASK: [u8; 4] = [255, 255, 255, 0];

    /// Where the host listens.
    const HOST: [u8; 4] = [192, 0, 2, 1];
    const PORT: u16 = 5201;

    /// Bytes that are sent and received at once.
    const BLOCK: usize = 64 << 10;
    static mut BUFFER: [u8; BLOCK] = [0; BLOCK];

    /// linux/socket.h.
    const AF_INET: u16 = 2;
    const SOCK_STREAM: usize = 1;

    /// linux/sockios.h.
    const SIOCSIFFLAGS: usize = 0x8914;
    const SIOCSIFADDR: usize = 0x8916;
    const SIOCSIFNETMASK: usize = 0x891c;

    /// linux/if.h.
    const IFF_UP: u16 = 1;

    /// `struct sockaddr_in` (linux/in.h).
    #[repr(C)]
    struct Address {
        family: u16,
        port: [u8; 2],
        address: [u8; 4],
        zero: [u32; 2],
    }

    /// `struct ifreq` (linux/if.h) with an address, or with flags in the place of its family.
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        address: Address,
        rest: [u32; 2],
    }

    // arch/x86/entry/syscalls/syscall_64.tbl
    #[cfg(target_arch = "x86_64")]
    mod number {
        pub const READ: usize = 0;
        pub const WRITE: usize = 1;
        pub const CLOSE: usize = 3;
        pub const IOCTL: usize = 16;
        pub const SOCKET: usize = 41;
        pub const CONNECT: usize = 42;
    }

    // include/uapi/asm-generic/unistd.h
    #[cfg(target_arch = "aarch64")]
    mod number {
        pub const IOCTL: usize = 29;
        pub const CLOSE: usize = 57;
        pub const READ: usize = 63;
        pub const WRITE: usize = 64;
        pub const SOCKET: usize = 198;
        pub const CONNECT: usize = 203;
    }

    /// A call that fails ends the program.
    ///
    /// # Safety
    ///
    /// As [`linux::call`](call).
    unsafe fn must<const N: usize>(number: usize, arguments: [usize; N]) -> usize {
        // SAFETY: the caller's.
        let result = unsafe { call(number, arguments) };
        usize::try_from(result).unwrap_or_else(|_| exit(1))
    }

    /// An open TCP socket.
    struct Socket(usize);

    impl Socket {
        fn new() -> Socket {
            // SAFETY: numbers.
            Socket(unsafe { must(number::SOCKET, [AF_INET.into(), SOCK_STREAM, 0]) })
        }

        fn connected() -> Socket {
            let socket = Socket::new();
            let address = address(HOST, PORT);
            let (place, size) = ((&raw const address).addr(), size_of::<Address>());
            // SAFETY: the address is there, and this large.
            unsafe { must(number::CONNECT, [socket.0, place, size]) };
            socket
        }

        /// So many bytes that mean nothing.
        fn send(&self, mut count: usize) {
            while count > 0 {
                let place = (&raw const BUFFER).addr();
                // SAFETY: the buffer is there, and this large.
                count -= unsafe { must(number::WRITE, [self.0, place, count.min(BLOCK)]) };
            }
        }

        /// At most so many bytes, to the front of the buffer.
        fn receive(&self, count: usize) -> usize {
            let place = (&raw mut BUFFER).addr();
            // SAFETY: the buffer is there, this large, and nothing else uses it.
            unsafe { must(number::READ, [self.0, place, count.min(BLOCK)]) }
        }

        fn receive_all(&self) {
            while self.receive(BLOCK) > 0 {}
        }
    }

    impl Drop for Socket {
        fn drop(&mut self) {
            // SAFETY: a number.
            unsafe { must(number::CLOSE, [self.0]) };
        }
    }

    fn address(address: [u8; 4], port: u16) -> Address {
        Address { family: AF_INET, port: port.to_be_bytes(), address, zero: [0; 2] }
    }

    fn raise_interface() {
        let socket = Socket::new();
        let set = |what, address| {
            let request = Request { name: INTERFACE, address, rest: [0; 2] };
            // SAFETY: the request is there, and as large as each of these expects.
            unsafe { must(number::IOCTL, [socket.0, what, (&raw const request).addr()]) };
        };
        set(SIOCSIFADDR, address(GUEST, 0));
        set(SIOCSIFNETMASK, address(MASK, 0));
        set(SIOCSIFFLAGS, Address { family: IFF_UP, ..address([0; 4], 0) });
    }

    pub extern "C" fn main() -> ! {
        raise_interface();
        let host = Socket::connected();
        loop {
            let mut order = 0;
            for place in 0..8 {
                if host.receive(1) == 0 {
                    exit(0);
                }
                // SAFETY: nothing else uses it meanwhile.
                let byte = unsafe { (&raw const BUFFER).cast::<u8>().read() };
                order |= u64::from(byte) << (8 * place);
            }
            let count = (order >> 32) as usize;
            match order as u8 {
                b's' => Socket::connected().send(count << 20),
                b'r' => Socket::connected().receive_all(),
                b'c' => (0..count).for_each(|_| {
                    let socket = Socket::connected();
                    socket.send(1);
                    socket.receive_all();
                }),
                _ => exit(2),
            }
            host.send(1);
        }
    }
}

#[cfg(not(freestanding))]
fn main() {
    eprintln!("a guest's init: the package's README says how to build it");
    std::process::exit(2);
}
