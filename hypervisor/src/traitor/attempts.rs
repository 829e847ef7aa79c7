//! What an intruder would try.

use std::ffi::c_long;
use std::ptr;

use libc::{c_int, c_void};

/// One attempt.
pub struct Attempt {
    /// What it is.
    pub name: &'static str,
    /// Makes it: the system call's result, below 0 if it failed.
    pub make: fn() -> c_long,
}

/// A system call.
macro_rules! call {
    ($number:expr $(, $argument:expr)*) => {
        // SAFETY: a test, in a process that ends right after. What the arguments point to lives as long as the process.
        unsafe { libc::syscall($number $(, $argument)*) }
    };
}

macro_rules! attempts {
    ($($(#[$where:meta])? $name:literal => $make:expr;)*) => {
        /// All of them.
        pub const ATTEMPTS: &[Attempt] = &[$($(#[$where])? Attempt { name: $name, make: || $make }),*];
    };
}

const HERE: c_int = libc::AT_FDCWD;
const NULL: *const c_void = ptr::null();
/// Where a call leaves or finds what nobody reads.
static mut BYTES: [u64; 64] = [0; 64];

fn bytes() -> *mut c_void {
    (&raw mut BYTES).cast()
}

fn parent() -> libc::pid_t {
    // Not asked for: that would be a call too. A number that exists everywhere.
    1
}

/// A request to each descriptor that may be open.
fn ioctl_of_any(request: u64) -> c_long {
    let made = (0..64).map(|fd| call!(libc::SYS_ioctl, fd, request, bytes()));
    made.max().unwrap_or(-1)
}

/// A datagram by each descriptor that may be open.
fn send_by_any(address: &[u8]) -> c_long {
    let (flags, length) = (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL, address.len());
    let send =
        |fd: c_int| call!(libc::SYS_sendto, fd, bytes(), 16, flags, address.as_ptr(), length);
    (0..64).map(send).max().unwrap_or(-1)
}

/// A socket, and what it is connected to.
fn connect(family: c_int, kind: c_int, address: &[u8]) -> c_long {
    let socket =
        call!(libc::SYS_socket, family, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0);
    match socket {
        0.. => call!(libc::SYS_connect, socket, address.as_ptr(), address.len()),
        failed => failed,
    }
}

/// `struct sockaddr_in`: 127.0.0.1, port 22.
const LOOPBACK: &[u8] = &[2, 0, 0, 22, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
/// `struct sockaddr_un`: an abstract name, at which the test listens.
const ABSTRACT: &[u8] = b"\x01\x00\x00bulkhead-traitor";
/// `struct sockaddr_un`: a name in the file system.
const DOCKER: &[u8] = b"\x01\x00/run/docker.sock\x00";

attempts! {
    "a panic" => panic!("on\npurpose");
    "open a file of the user's" => call!(libc::SYS_openat, HERE, c"/root/.ssh/id_ed25519".as_ptr(), libc::O_RDONLY);
    "open the root folder" => call!(libc::SYS_openat, HERE, c"/".as_ptr(), libc::O_RDONLY);
    "open /etc/passwd" => call!(libc::SYS_openat2, HERE, c"/etc/passwd".as_ptr(), bytes(), 24);
    "open /proc/self/mem" => call!(libc::SYS_openat, HERE, c"/proc/self/mem".as_ptr(), libc::O_RDWR);
    "open /dev/kvm" => call!(libc::SYS_openat, HERE, c"/dev/kvm".as_ptr(), libc::O_RDWR);
    "open another container's disk" => call!(libc::SYS_openat, HERE, c"/var/lib/bulkhead/disk".as_ptr(), libc::O_RDWR);
    "open by handle" => call!(libc::SYS_open_by_handle_at, HERE, bytes(), libc::O_RDWR);
    "remove a file" => call!(libc::SYS_unlinkat, HERE, c"vm.json".as_ptr(), 0);
    "list a folder" => call!(libc::SYS_getdents64, 0, bytes(), 512);
    "execve" => call!(libc::SYS_execve, c"/bin/sh".as_ptr(), bytes(), bytes());
    "execveat" => call!(libc::SYS_execveat, HERE, c"/bin/sh".as_ptr(), bytes(), bytes(), 0);
    "fork" => call!(libc::SYS_clone, libc::SIGCHLD, NULL, NULL, NULL, NULL);
    "clone3" => call!(libc::SYS_clone3, bytes(), 64);
    "ptrace the parent" => call!(libc::SYS_ptrace, libc::PTRACE_SEIZE, parent(), NULL, NULL);
    "read another process's memory" => call!(libc::SYS_process_vm_readv, parent(), bytes(), 1, bytes(), 1, 0);
    "write another process's memory" => call!(libc::SYS_process_vm_writev, parent(), bytes(), 1, bytes(), 1, 0);
    "a descriptor of another process" => call!(libc::SYS_pidfd_getfd, 3, 0, 0);
    "open a process" => call!(libc::SYS_pidfd_open, parent(), 0);
    // 0 instead of a signal that would end whoever runs the test.
    "signal all processes" => call!(libc::SYS_kill, -1, 0);
    "signal the parent" => call!(libc::SYS_tgkill, parent() + 1, parent() + 1, 0);
    "signal any thread" => call!(libc::SYS_tkill, parent(), 0);
    "limits of another process" => call!(libc::SYS_prlimit64, parent(), libc::RLIMIT_CORE, NULL, bytes());
    "connect to loopback TCP" => connect(libc::AF_INET, libc::SOCK_STREAM, LOOPBACK);
    "a UDP socket" => connect(libc::AF_INET, libc::SOCK_DGRAM, LOOPBACK);
    "a raw socket" => connect(libc::AF_PACKET, libc::SOCK_RAW, LOOPBACK);
    "a netlink socket" => connect(libc::AF_NETLINK, libc::SOCK_RAW, LOOPBACK);
    "a vsock socket" => connect(libc::AF_VSOCK, libc::SOCK_STREAM, LOOPBACK);
    "connect to an abstract socket" => connect(libc::AF_UNIX, libc::SOCK_STREAM, ABSTRACT);
    "connect to docker" => connect(libc::AF_UNIX, libc::SOCK_STREAM, DOCKER);
    // What a link could be asked for (linux/if_tun.h, linux/sockios.h).
    "another interface by the link" => ioctl_of_any(0x4004_54ca);
    "a link that stays" => ioctl_of_any(0x4004_54cb);
    "give the link away" => ioctl_of_any(0x4004_54cc);
    "the namespace of a TAP" => ioctl_of_any(0x54e3);
    "the namespace of a socket" => ioctl_of_any(0x894c);
    "an address of an interface" => ioctl_of_any(0x8916);
    "send a datagram by the link" => send_by_any(LOOPBACK);
    "options of the link" => call!(libc::SYS_setsockopt, 3, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, bytes(), 4);
    "listen" => call!(libc::SYS_listen, 3, 1);
    "a name for a socket" => call!(libc::SYS_bind, 3, LOOPBACK.as_ptr(), LOOPBACK.len());
    "pass a descriptor" => call!(libc::SYS_sendmsg, 0, bytes(), 0);
    "executable memory" => call!(libc::SYS_mmap, NULL, 4096, 7, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
    "map an open file" => call!(libc::SYS_mmap, NULL, 4096, 1, libc::MAP_SHARED, 0, 0);
    "make memory executable" => call!(libc::SYS_mprotect, bytes() as usize & !4095, 4096, 7);
    "make memory executable by a key" => call!(libc::SYS_pkey_mprotect, bytes() as usize & !4095, 4096, 7, 0);
    "move memory over other memory" => call!(libc::SYS_mremap, bytes(), 4096, 4096, 3, 0x10000);
    "memory that is a file" => call!(libc::SYS_memfd_create, c"x".as_ptr(), 0);
    "io_uring" => call!(libc::SYS_io_uring_setup, 1, bytes());
    "asynchronous I/O" => call!(libc::SYS_io_setup, 1, bytes());
    "a VM" => ioctl_of_any(0xae01);
    "a vCPU" => ioctl_of_any(0xae41);
    "memory for the guest" => ioctl_of_any(0x4020_ae46);
    "type into the terminal" => ioctl_of_any(0x5412);
    "a user namespace" => call!(libc::SYS_unshare, libc::CLONE_NEWUSER);
    "enter a namespace" => call!(libc::SYS_setns, 0, 0);
    "mount" => call!(libc::SYS_mount, c"none".as_ptr(), c"/".as_ptr(), c"tmpfs".as_ptr(), 0, NULL);
    "unmount" => call!(libc::SYS_umount2, c"/".as_ptr(), libc::MNT_DETACH);
    "pivot_root" => call!(libc::SYS_pivot_root, c"/".as_ptr(), c"/".as_ptr());
    "chroot" => call!(libc::SYS_chroot, c"/".as_ptr());
    "bpf" => call!(libc::SYS_bpf, 0, bytes(), 48);
    "perf events" => call!(libc::SYS_perf_event_open, bytes(), 0, -1, -1, 0);
    "userfaultfd" => call!(libc::SYS_userfaultfd, 1);
    "keys" => call!(libc::SYS_keyctl, 0, -3, 1);
    "another filter" => call!(libc::SYS_seccomp, 1, 0, bytes());
    "no filter" => call!(libc::SYS_prctl, libc::PR_SET_SECCOMP, 0, 0, 0, 0);
    "be dumpable" => call!(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
    "another handler" => call!(libc::SYS_rt_sigaction, libc::SIGSYS, bytes(), NULL, 8);
    "block signals" => call!(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, bytes(), NULL, 8);
    "another personality" => call!(libc::SYS_personality, 0x0004_0000);
    "be root" => call!(libc::SYS_setresuid, 0, 0, 0);
    "capabilities" => call!(libc::SYS_capset, bytes(), bytes());
    "a kernel module" => call!(libc::SYS_finit_module, 0, c"".as_ptr(), 0);
    "another kernel" => call!(libc::SYS_kexec_load, 0, 0, NULL, 0);
    "reboot" => call!(libc::SYS_reboot, 0, 0, 0, NULL);
    "a call of x32, or of none" => call!(c_long::from(0x4000_0000) | libc::SYS_getpid);
    // An aarch64 program has no way to make one.
    #[cfg(target_arch = "x86_64")]
    "a call of 32 bits" => of_32_bits();
}

/// getpid as an i386 program makes it.
#[cfg(target_arch = "x86_64")]
fn of_32_bits() -> c_long {
    let result: u64;
    // SAFETY: asks the kernel for a number.
    unsafe { std::arch::asm!("int 0x80", inlateout("rax") 20_u64 => result) };
    result as c_long
}
