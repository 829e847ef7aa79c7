//! A freestanding kernel that drives every device of a bulkhead machine as a driver would, and reports.
//!
//! It prints one line for each check on the serial port, `ok NAME detail` or `FAIL NAME fault: detail` (and `skip NAME
//! reason` for what could not be checked), last `bare-guest: N checks, M failed`, and switches the machine off. Words on
//! the command line have it do other things (`kernel/task.rs`). It needs
//! no operating system, no allocator, and few instructions: on a host that interprets its guests' kernel code, a million
//! of them take a second.
#![cfg_attr(freestanding, no_std, no_main)]

#[cfg(freestanding)]
mod kernel;

#[cfg(not(freestanding))]
fn main() {
    eprintln!("a kernel: the package's README says how to build it");
    std::process::exit(2);
}
