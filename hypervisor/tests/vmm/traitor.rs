//! A VMM that was taken over by its guest, and what it gets: nothing.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use bulkhead_hypervisor::jail::filters::Thread;
use bulkhead_hypervisor::jail::filters::refused::REFUSED;
use bulkhead_hypervisor::traitor::{ATTEMPTS, PLACE};

use crate::guest::Code;
use crate::process::{Outcome, Vm, kvm_is_there};

/// What a filter lets through, because the thread needs the call, and something else must stop.
const NOT_BY_A_FILTER: &[(Thread, &str)] = &[
    (Thread::EventLoop, "connect to an abstract socket"),
    (Thread::EventLoop, "connect to docker"),
];

#[test]
fn a_traitor_gets_nothing() {
    if !kvm_is_there("a_traitor_gets_nothing") {
        return;
    }
    let name = SocketAddr::from_abstract_name("bulkhead-traitor").unwrap();
    let _listener = UnixListener::bind_addr(&name).unwrap();
    let mut got = Vec::new();
    for thread in Thread::ALL {
        for (number, attempt) in ATTEMPTS.iter().enumerate() {
            let outcome = attempt_in(thread, number as u8);
            if !ends_as_it_has_to(&outcome, thread, attempt.name) {
                got.push(format!("{} in thread {}: {outcome:?}", attempt.name, thread.name()));
            }
        }
    }
    assert!(got.is_empty(), "{} of {}:\n{}", got.len(), 3 * ATTEMPTS.len(), got.join("\n"));
}

/// A VM whose guest has a thread make an attempt.
fn attempt_in(thread: Thread, number: u8) -> Outcome {
    let code = Code::new().store(PLACE, thread as u8).store(PLACE + 1, number).forever();
    let vm = Vm::new(&code.into_kernel());
    let disk = vm.folder().join("disk");
    std::fs::write(&disk, [0; 4096]).unwrap();
    vm.configure(&format!(
        r#", "drives": [{{"drive_id": "a", "path_on_host": {disk:?}, "is_root_device": false, "is_read_only": false}}]"#
    ));
    vm.run(b"")
}

/// The kernel killed the process, or it ended with a word, or the call went through and did nothing.
fn ends_as_it_has_to(outcome: &Outcome, thread: Thread, attempt: &str) -> bool {
    let Outcome { status, stderr, .. } = outcome;
    let in_thread = format!(" in thread {}", thread.name());
    match *status {
        0 if NOT_BY_A_FILTER.contains(&(thread, attempt)) => stderr.contains(": failed: "),
        status if status == -libc::SIGSYS => stderr.is_empty(),
        REFUSED => {
            let refused = format!("{in_thread} was refused\n");
            stderr.starts_with("bulkhead-vmm: system call ") && stderr.ends_with(&refused)
        }
        // As if by SIGABRT.
        134 => {
            let message = format!(", thread {}: on purpose\n", thread.name());
            attempt == "a panic"
                && stderr.starts_with("bulkhead-vmm: a fault in ")
                && stderr.ends_with(&message)
        }
        // A kernel without such calls does not even come to the filter.
        status if status == -libc::SIGSEGV => attempt == "a call of 32 bits",
        _ => false,
    }
}
