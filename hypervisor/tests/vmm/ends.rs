//! How a VM ends, and what its guest can say before.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::process::ChildStdin;
use std::time::Duration;

use crate::guest::{Code, PRINTED_TWO};
use crate::process::{Vm, finish, kvm_is_there};

#[test]
fn a_guest_prints_and_switches_itself_off() {
    if !kvm_is_there("a_guest_prints_and_switches_itself_off") {
        return;
    }
    let outcome = Vm::new(&Code::new().print("hi\n").power_off().into_kernel()).run(b"");
    assert_eq!((outcome.status, &*outcome.stdout, &*outcome.stderr), (0, "hi\n", ""));
}

#[test]
fn a_guest_resets_by_any_way_that_it_has() {
    if !kvm_is_there("a_guest_resets_by_any_way_that_it_has") {
        return;
    }
    for (index, code) in Code::new().print("r").resets().into_iter().enumerate() {
        let outcome = Vm::new(&code.into_kernel()).run(b"");
        assert_eq!((outcome.status, &*outcome.stdout, &*outcome.stderr), (0, "r", ""), "{index}");
    }
}

/// Only on x86_64: no other processor resets itself.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_triple_fault_is_a_reset() {
    if !kvm_is_there("a_triple_fault_is_a_reset") {
        return;
    }
    // ud2, and no IDT.
    let outcome = Vm::new(&Code::new().print("t").bytes(&[0x0F, 0x0B]).into_kernel()).run(b"");
    assert_eq!((outcome.status, &*outcome.stdout), (0, "t"), "{}", outcome.stderr);
}

/// Only on aarch64: KVM decodes no instructions there.
#[cfg(target_arch = "aarch64")]
#[test]
fn an_instruction_that_kvm_cannot_emulate_ends_the_vm_with_its_place() {
    if !kvm_is_there("an_instruction_that_kvm_cannot_emulate_ends_the_vm_with_its_place") {
        return;
    }
    let outcome = Vm::new(&Code::new().print("n").store_pair().into_kernel()).run(b"");
    assert_eq!((outcome.status, &*outcome.stdout), (1, "n"));
    let stderr = &outcome.stderr;
    assert!(stderr.contains("vCPU 0: ") && stderr.contains("accesses 0x9000000"), "{stderr}");
    assert!(stderr.ends_with(" at pc 0x40200050, bytes 2a 29 00 29\n"), "{stderr}");
}

#[test]
fn stdin_reaches_the_guest_and_nothing_is_lost() {
    if !kvm_is_there("stdin_reaches_the_guest_and_nothing_is_lost") {
        return;
    }
    // More than the port's buffer holds.
    let text: String = ('a'..='z').cycle().take(200).collect();
    let code = (0..text.len()).fold(Code::new(), |code, _| code.echo()).power_off();
    let outcome = Vm::new(&code.into_kernel()).run(text.as_bytes());
    assert_eq!((outcome.status, outcome.stdout), (0, text));
}

/// The cause of Firecracker's CVE-2020-27174: the console's buffer grew with all that came.
#[test]
fn what_a_guest_does_not_read_stays_with_whoever_writes_it() {
    if !kvm_is_there("what_a_guest_does_not_read_stays_with_whoever_writes_it") {
        return;
    }
    let vm = Vm::new(&Code::new().print("go").forever().into_kernel());
    let mut child = vm.start();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 2]).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // SAFETY: two system calls on an open descriptor and numbers.
    let pipe = unsafe {
        assert_eq!(libc::fcntl(stdin.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK), 0);
        libc::fcntl(stdin.as_raw_fd(), libc::F_GETPIPE_SZ) as usize
    };
    let mut written = 0;
    // A VMM that took more would do so within a second, or be found out by the next write.
    while written < 1 << 20 {
        match stdin.write(&[b'x'; 512]) {
            Ok(len) => written += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock && !takes_more(&stdin) => break,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    // The VMM's own buffer, that of the UART, and what does not fill a page of the pipe.
    assert!(written <= pipe + 64 + 64, "{written} bytes");
    // SAFETY: as below.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGTERM) }, 0);
    assert_eq!(finish(child).status, 0);
}

/// Whether there is room in a pipe within a second.
fn takes_more(pipe: &ChildStdin) -> bool {
    let mut poll = libc::pollfd { fd: pipe.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: one pollfd, which lives as long as the call.
    unsafe { libc::poll(&mut poll, 1, 1000) == 1 }
}

/// Only on x86_64: no other processor has ports.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_string_instruction_writes_every_byte() {
    if !kvm_is_there("a_string_instruction_writes_every_byte") {
        return;
    }
    // lea rsi, [rip + 18]; mov ecx, 6; mov dx, 0x3F8; rep outsb; power off; text
    let code = Code::new()
        .bytes(&[0x48, 0x8D, 0x35, 20, 0, 0, 0, 0xB9, 6, 0, 0, 0])
        .bytes(&[0x66, 0xBA, 0xF8, 0x03, 0xF3, 0x6E])
        .power_off()
        .bytes(b"string");
    let outcome = Vm::new(&code.into_kernel()).run(b"");
    assert_eq!((outcome.status, &*outcome.stdout), (0, "string"));
}

#[test]
fn a_signal_stops_a_guest_that_never_comes_back() {
    if !kvm_is_there("a_signal_stops_a_guest_that_never_comes_back") {
        return;
    }
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let runtime = tempfile::tempdir().unwrap();
        std::fs::write(runtime.path().join("left-over"), "").unwrap();
        let vm = Vm::new(&Code::new().print("go").forever().into_kernel())
            .argument("--runtime-dir")
            .argument(runtime.path().to_str().unwrap())
            .argument("--stats");
        let mut child = vm.start();
        let mut said = [0; 2];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        // SAFETY: the child has not been waited for, so its identifier is its own.
        assert_eq!(unsafe { libc::kill(child.id() as i32, signal) }, 0);
        let outcome = finish(child);
        assert_eq!((outcome.status, said), (0, *b"go"));
        let stats = format!("bulkhead-vmm: stats: {PRINTED_TWO} ");
        assert!(outcome.stderr.starts_with(&stats), "{}", outcome.stderr);
        assert!(!runtime.path().exists(), "the runtime folder is gone");
    }
}

#[test]
fn signals_that_whoever_started_it_has_blocked_reach_it_and_its_vcpus() {
    if !kvm_is_there("signals_that_whoever_started_it_has_blocked_reach_it_and_its_vcpus") {
        return;
    }
    let vm = Vm::new(&Code::new().print("go").forever().into_kernel()).argument("--stats");
    let mut child = vm.start_with_blocked_signals();
    child.stdout.as_mut().unwrap().read_exact(&mut [0; 2]).unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGTERM) }, 0);
    let outcome = finish(child);
    let stats = format!("bulkhead-vmm: stats: {PRINTED_TWO} ");
    assert!(outcome.status == 0 && outcome.stderr.starts_with(&stats), "{}", outcome.stderr);
}

#[test]
fn a_console_that_nobody_reads_does_not_keep_a_vm_from_ending() {
    if !kvm_is_there("a_console_that_nobody_reads_does_not_keep_a_vm_from_ending") {
        return;
    }
    let vm = Vm::new(&Code::new().print_forever().into_kernel());
    let mut child = vm.start();
    std::thread::sleep(Duration::from_millis(1000));
    // By now the pipe is full and the vCPU waits in the serial port. More than the port's buffer:
    // whoever carries it there must not wait too.
    child.stdin.take().unwrap().write_all(&[b'x'; 200]).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    // SAFETY: as above.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGTERM) }, 0);
    let outcome = finish(child);
    assert_eq!((outcome.status, &*outcome.stderr), (0, ""));
}
