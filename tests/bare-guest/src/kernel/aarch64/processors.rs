//! The other processors.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::fdt::Fdt;
use super::{cpu, psci, timer};
use crate::kernel::report::{Fault, Line, put};

/// Of AFFINITY_INFO.
const OFF: i32 = 1;

unsafe extern "C" {
    /// Where a processor starts that only says so (boot.s).
    #[link_name = "processor_entry"]
    static ENTRY: u8;
    /// Where one starts that stays (boot.s).
    #[link_name = "member_entry"]
    static MEMBER_ENTRY: u8;
}

/// As many as boot.s has stacks for.
pub const MAX_OTHERS: u32 = 31;

/// The affinity of each processor, by its number.
static AFFINITIES: [AtomicU64; MAX_OTHERS as usize + 1] =
    [const { AtomicU64::new(0) }; MAX_OTHERS as usize + 1];

/// How many others are ready.
static READY: AtomicU32 = AtomicU32::new(0);

/// Where a processor says that it has started.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// Each processor but this one starts, and switches itself off (PSCI, Arm DEN0022F §5).
pub fn check(line: &mut Line, fdt: Fdt) -> Result<(), Fault> {
    let version = psci::call(psci::VERSION, [0; 3]);
    put!(line, "PSCI {}.{}", version >> 16, version & 0xffff);
    if version < 2 {
        return Err("older than 0.2");
    }
    let (mut own, mut others) = (0, 0);
    for node in fdt.nodes().filter(|node| node.has_string("device_type", "cpu")) {
        let affinity = node.number("reg").ok_or("a processor without a number")?;
        if affinity == cpu::affinity() {
            own += 1;
        } else {
            start_and_stop(affinity)?;
            others += 1;
        }
    }
    put!(line, ", {} processors, {others} started and stopped", own + others);
    if own == 1 { Ok(()) } else { Err("this processor is not there, or twice") }
}

/// Gives each processor its number: this one has 0.
pub fn learn(fdt: Fdt) -> Result<(), Fault> {
    let nodes = fdt.nodes().filter(|node| node.has_string("device_type", "cpu"));
    for (place, node) in AFFINITIES.iter().zip(nodes) {
        place.store(node.number("reg").ok_or("a processor without a number")?, Ordering::Relaxed);
    }
    if affinity(0) == cpu::affinity() { Ok(()) } else { Err("this processor is not the first") }
}

/// The affinity of the processor of this number.
pub fn affinity(number: u32) -> u64 {
    AFFINITIES[number as usize].load(Ordering::Relaxed)
}

/// The number of the processor that asks.
pub fn own_number() -> u32 {
    (0..MAX_OTHERS).find(|number| affinity(*number) == cpu::affinity()).unwrap_or(MAX_OTHERS)
}

/// Starts the first `count` others. Returns once all are ready.
pub fn start(count: u32) -> Result<(), Fault> {
    for number in 1..=count {
        let entry = &raw const MEMBER_ENTRY as u64;
        if psci::call(psci::CPU_ON, [affinity(number), entry, number.into()]) != 0 {
            return Err("a processor can't be switched on");
        }
    }
    while READY.load(Ordering::Acquire) < count {
        core::hint::spin_loop();
    }
    Ok(())
}

/// The processor that calls this takes interrupts from now on.
pub fn ready() {
    READY.fetch_add(1, Ordering::Release);
}

fn start_and_stop(affinity: u64) -> Result<(), Fault> {
    STARTED.store(0, Ordering::Relaxed);
    let (entry, context) = (&raw const ENTRY as u64, STARTED.as_ptr() as u64);
    if psci::call(psci::CPU_ON, [affinity, entry, context]) != 0 {
        return Err("a processor can't be switched on");
    }
    if !in_time(|| STARTED.load(Ordering::Acquire) != 0) {
        return Err("a processor does not start in time");
    }
    if !in_time(|| psci::call(psci::AFFINITY_INFO, [affinity, 0, 0]) == OFF) {
        return Err("a processor does not switch itself off in time");
    }
    Ok(())
}

/// Without interrupts, and without sleep.
fn in_time(mut done: impl FnMut() -> bool) -> bool {
    let end = timer::end_of_patience();
    loop {
        if done() {
            return true;
        }
        if timer::now() >= end {
            return false;
        }
        core::hint::spin_loop();
    }
}
