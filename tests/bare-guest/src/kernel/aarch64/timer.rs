//! The virtual timer of the processor (Arm ARM D12).

use super::cpu::{read_system, write_system};
use super::interrupts;
use crate::kernel::PATIENCE;
use crate::kernel::report::{Fault, Line, put};

/// Its interrupt: PPI 11.
pub const PPI: u32 = 11;
pub const INTID: u32 = 16 + PPI;

const ENABLE: u64 = 1;

/// A time on the counter, until which anything is waited for.
pub fn end_of_patience() -> u64 {
    now() + u64::from(PATIENCE) * frequency()
}

/// The counter.
pub fn now() -> u64 {
    read_system!("cntvct_el0")
}

fn frequency() -> u64 {
    read_system!("cntfrq_el0")
}

/// Interrupts at a time on the counter, and from then on.
pub fn start(time: u64) {
    write_system!("cntv_cval_el0", time);
    write_system!("cntv_ctl_el0", ENABLE);
}

/// Interrupts no more.
pub fn stop() {
    write_system!("cntv_ctl_el0", 0);
}

/// Its interrupt arrives. It is waited for without sleeping, so that its absence can be told.
pub fn check(line: &mut Line) -> Result<(), Fault> {
    put!(line, "virtual timer at {} Hz, INTID {INTID}", frequency());
    let (before, end) = (now(), end_of_patience());
    if end == before {
        return Err("the counter's frequency is not told");
    }
    let count = interrupts::timer_count();
    start(before + frequency() / 100_000);
    let mut came = false;
    while !came && now() < end {
        interrupts::serve();
        came = interrupts::timer_count() != count;
    }
    stop();
    if came { Ok(()) } else { Err("the timer's interrupt does not arrive in time") }
}
