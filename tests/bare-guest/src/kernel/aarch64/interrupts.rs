//! The way of an interrupt: device → SPI → GIC → exception (boot.s) → here, where it is counted.
//!
//! They are let in only while something is waited for, one at a time. The processor's timer is the watchdog of every wait.

use core::sync::atomic::{AtomicU32, Ordering};

use super::{cpu, gic, processors, timer};
use crate::kernel::report::{Line, put, send_line};

pub use gic::init_processor;
pub use processors::own_number;

/// What a way in for interrupts is called here.
pub const LINE: &str = "SPI";
/// The SPIs that are counted.
pub const SPIS: usize = 64;
const FIRST_SPI: usize = 32;

/// How often each INTID was served.
static COUNTS: [AtomicU32; FIRST_SPI + SPIS] = [const { AtomicU32::new(0) }; FIRST_SPI + SPIS];

/// How many interrupts came in by this SPI.
pub fn count(spi: usize) -> u32 {
    COUNTS[FIRST_SPI + spi].load(Ordering::Relaxed)
}

/// How many the timer sent.
pub fn timer_count() -> u32 {
    COUNTS[timer::INTID as usize].load(Ordering::Relaxed)
}

/// Takes the interrupt that is pending, if any.
pub fn serve() {
    if !cpu::take_interrupt() {
        return;
    }
    // None is left when its cause has gone meanwhile.
    if let Some((acknowledged, intid)) = gic::acknowledge() {
        if let Some(count) = COUNTS.get(intid as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        gic::end(acknowledged);
    }
}

/// Interrupts the processor of this number.
pub fn call(number: u32) {
    gic::call(processors::affinity(number));
}

/// Sleeps until an interrupt is pending, and takes it.
pub fn sleep() {
    cpu::wait_for_interrupt();
    serve();
}

/// Sleeps from interrupt to interrupt until the condition holds, for as long as patience lasts.
pub fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let end = timer::end_of_patience();
    timer::start(end);
    let result = loop {
        if done() {
            break true;
        }
        if timer::now() >= end {
            break false;
        }
        cpu::wait_for_interrupt();
        serve();
    };
    timer::stop();
    result
}

/// Reports an exception that is no interrupt (boot.s), and switches off.
#[unsafe(export_name = "exception")]
extern "C" fn exception(vector: u64, syndrome: u64, address: u64, fault_address: u64) -> ! {
    let mut line = Line::new();
    put!(
        line,
        "FAIL exception {vector}: ESR {syndrome:#x}, ELR {address:#x}, FAR {fault_address:#x}"
    );
    send_line(&[line.as_bytes()]);
    super::power::off()
}
