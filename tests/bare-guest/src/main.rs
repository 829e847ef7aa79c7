//! A freestanding kernel that drives every device of a bulkhead machine as a driver would, and reports.
//!
//! It prints one line for each check on COM1, `ok NAME detail` or `FAIL NAME fault: detail` (and `skip NAME reason` for
//! what could not be checked), last `bare-guest: N checks, M failed`, and switches the machine off. It needs no
//! operating system, no allocator, and few instructions: on a host that interprets its guests' kernel code, a million
//! of them take a second.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod kernel;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!(
        "a kernel: cargo build --release -p bulkhead-bare-guest --target x86_64-unknown-none"
    );
    std::process::exit(2);
}
