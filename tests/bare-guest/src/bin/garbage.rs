//! Not a kernel but a program that means harm: calls the host over vsock, where guest-init does, and sends it garbage.
//!
//! Prints `refused` where it gets no socket, and ends with status 0. Where it gets one it prints nothing: nobody hears it.
#![cfg_attr(freestanding, no_std, no_main)]

#[cfg(freestanding)]
#[path = "../linux.rs"]
mod linux;

#[cfg(freestanding)]
mod program {
    use core::mem::MaybeUninit;

    use crate::linux::{call, exit};

    /// So many connections, one after the other: some look like a greeting at first.
    const CALLS: u8 = 32;

    /// Bytes in each.
    const LENGTH: usize = 2048;

    /// `protocol::PORT`, `protocol::HOST_CID`.
    const PORT: u32 = 1024;
    const HOST_CID: u32 = 2;

    /// linux/socket.h.
    const AF_VSOCK: u16 = 40;
    const SOCK_STREAM: usize = 1;

    /// `struct sockaddr_vm` (linux/vm_sockets.h).
    #[repr(C)]
    struct Address {
        family: u16,
        reserved: u16,
        port: u32,
        cid: u32,
        zero: [u8; 4],
    }

    // arch/x86/entry/syscalls/syscall_64.tbl
    #[cfg(target_arch = "x86_64")]
    mod number {
        pub const WRITE: usize = 1;
        pub const SOCKET: usize = 41;
        pub const CONNECT: usize = 42;
        pub const GETRANDOM: usize = 318;
    }

    // include/uapi/asm-generic/unistd.h
    #[cfg(target_arch = "aarch64")]
    mod number {
        pub const WRITE: usize = 64;
        pub const SOCKET: usize = 198;
        pub const CONNECT: usize = 203;
        pub const GETRANDOM: usize = 278;
    }

    fn write(fd: isize, bytes: &[u8]) {
        // SAFETY: the bytes are there to be read.
        unsafe { call(number::WRITE, [fd as usize, bytes.as_ptr().addr(), bytes.len()]) };
    }

    pub extern "C" fn main() -> ! {
        let address =
            Address { family: AF_VSOCK, reserved: 0, port: PORT, cid: HOST_CID, zero: [0; 4] };
        // Zeroes would be written by a function of a library that is not there.
        let mut garbage = MaybeUninit::<[u8; LENGTH]>::uninit();
        for round in 0..CALLS {
            // SAFETY: numbers, and a buffer of this length that nothing else uses.
            let [got, socket] = unsafe {
                [
                    call(number::GETRANDOM, [garbage.as_mut_ptr().addr(), LENGTH, 0]),
                    call(number::SOCKET, [AF_VSOCK.into(), SOCK_STREAM, 0]),
                ]
            };
            if socket < 0 {
                write(1, b"refused\n");
                exit(0);
            }
            if got != LENGTH as isize {
                exit(1);
            }
            // SAFETY: the kernel has filled it.
            let garbage = unsafe { garbage.assume_init_mut() };
            // The length of a frame is four bytes, the low one first.
            if round % 2 == 0 {
                garbage[..4].copy_from_slice(&[round, 0, 0, 0]);
            }
            let size = size_of::<Address>();
            // SAFETY: the address is there, and this large.
            unsafe {
                call(number::CONNECT, [socket as usize, (&raw const address).addr(), size]);
            }
            write(socket, garbage);
        }
        exit(0)
    }
}

#[cfg(not(freestanding))]
fn main() {
    eprintln!("a guest's program: the package's README says how to build it");
    std::process::exit(2);
}
