//! PID 1 of the guest.

use guest_init::container;
use guest_init::link::Vsock;
use guest_init::log;
use guest_init::machine::Machine;
use guest_init::order;
use guest_init::session;

fn main() {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == order::ARGUMENT) {
        container::main();
    }
    if !rustix::process::getpid().is_init() {
        log("this is the init of a Bulkhead guest; it runs as PID 1 of a virtual machine only");
        std::process::exit(2);
    }
    let machine = Machine::boot();
    if let Err(error) = session::run(&Vsock, &machine) {
        log(error);
    }
    machine.power_off();
}
