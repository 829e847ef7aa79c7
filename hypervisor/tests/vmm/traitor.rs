//! A VMM that was taken over by its guest, and what it gets: nothing.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::process::Command;
use std::sync::OnceLock;

use bulkhead_hypervisor::jail::filters::Thread;
use bulkhead_hypervisor::jail::filters::refused::REFUSED;
use bulkhead_hypervisor::traitor::{ATTEMPTS, PLACE};

use rustix::process::geteuid;

use crate::guest::Code;
use crate::network::handed_over::{inherit, interfaces, tap};
use crate::process::{Outcome, Vm, is_root, kvm_is_there, run};
use crate::user::User;

/// What a filter lets through, because the thread needs the call, and something else must stop.
const NOT_BY_A_FILTER: &[(Thread, &str)] = &[
    (Thread::EventLoop, "connect to an abstract socket"),
    (Thread::EventLoop, "connect to docker"),
];

/// Hears who connects to the abstract name, for all tests.
static LISTENER: OnceLock<UnixListener> = OnceLock::new();

#[test]
fn a_traitor_gets_nothing() {
    if !kvm_is_there("a_traitor_gets_nothing") {
        return;
    }
    let everything = Thread::ALL.into_iter().flat_map(|thread| {
        ATTEMPTS.iter().enumerate().map(move |(number, attempt)| (thread, number, attempt.name))
    });
    assert_nothing_is_got(everything, Vm::command);
}

/// The filters don't depend on who starts a VM: what they let through does, and of the rest each attempt in one thread.
#[test]
fn a_traitor_of_a_user_s_gets_nothing() {
    let test = "a_traitor_of_a_user_s_gets_nothing";
    if !kvm_is_there(test) || !is_root(test) {
        return;
    }
    let user = User::new();
    let attempts = ATTEMPTS.iter().enumerate().flat_map(|(number, attempt)| {
        let here = move |thread: &Thread| {
            *thread as usize % 3 == number % 3 || NOT_BY_A_FILTER.contains(&(*thread, attempt.name))
        };
        Thread::ALL.into_iter().filter(here).map(move |thread| (thread, number, attempt.name))
    });
    assert_nothing_is_got(attempts, |vm| user.command(vm));
}

/// Runs a VM for each attempt: the thread, its number and its name.
fn assert_nothing_is_got(
    attempts: impl Iterator<Item = (Thread, usize, &'static str)>,
    command: impl Fn(&Vm) -> Command,
) {
    LISTENER.get_or_init(|| {
        let name = SocketAddr::from_abstract_name("bulkhead-traitor").unwrap();
        UnixListener::bind_addr(&name).unwrap()
    });
    let (mut made, mut got) = (0, Vec::new());
    for (thread, number, name) in attempts {
        let (mut peer, ours) = UnixStream::pair().unwrap();
        let mut links = vec![OwnedFd::from(ours)];
        if geteuid().is_root() {
            links.push(tap());
        }
        let vm = that_attempts(thread, number as u8, &links);
        let mut command = command(&vm);
        links.into_iter().for_each(|link| inherit(&mut command, link));
        let outcome = run(command, b"");
        let mut heard = Vec::new();
        peer.read_to_end(&mut heard).unwrap();
        if !ends_as_it_has_to(&outcome, thread, name) || !heard.is_empty() {
            got.push(format!("{name} in thread {}: {outcome:?}, {heard:?}", thread.name()));
        }
        made += 1;
    }
    assert!(made >= ATTEMPTS.len());
    assert!(got.is_empty(), "{} of {made}:\n{}", got.len(), got.join("\n"));
}

/// A VM with a disk and these links, whose guest has a thread make an attempt.
fn that_attempts(thread: Thread, number: u8, links: &[OwnedFd]) -> Vm {
    let code = Code::new().store(PLACE, thread as u8).store(PLACE + 1, number).forever();
    let vm = Vm::new(&code.into_kernel());
    let disk = vm.folder().join("disk");
    std::fs::write(&disk, [0; 4096]).unwrap();
    let drives = format!(
        r#", "drives": [{{"drive_id": "a", "path_on_host": {disk:?}, "is_root_device": false, "is_read_only": false}}]"#
    );
    vm.configure(&(drives + &interfaces(links)));
    vm
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
