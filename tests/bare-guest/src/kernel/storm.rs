//! Interrupts from all sides: each processor that is woken wakes the next, in a ring, and the host types meanwhile.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::machine::{self, interrupts, power, processors, serial};
use super::report::{Fault, Line, put, send_line};
use super::task::Storm;

/// How many processors there are in the ring.
static PROCESSORS: AtomicU32 = AtomicU32::new(1);
/// How often one is woken before it ends the storm.
static ROUNDS: AtomicU32 = AtomicU32::new(0);
/// Whether each says that it was woken.
static IS_LOUD: AtomicBool = AtomicBool::new(false);

/// Goes on until one processor was woken often enough, and switches off. When there is input to wait for, it is this one
/// that ends it, once all has come.
pub fn storm(storm: Storm, start_info: u64) -> ! {
    let others = storm.processors.saturating_sub(1).min(processors::MAX_OTHERS);
    PROCESSORS.store(others + 1, Ordering::Relaxed);
    ROUNDS.store(if storm.input == 0 { storm.rounds } else { u32::MAX }, Ordering::Relaxed);
    IS_LOUD.store(storm.is_loud, Ordering::Relaxed);
    if let Err(fault) = machine::listen(start_info).and_then(|()| processors::start(others)) {
        give_up(fault);
    }
    // The host types only from here on: what came before the port was set up is gone.
    send_line(&[b"bare-guest: storms"]);
    (0..=others).for_each(interrupts::call);
    let mut input = 0;
    ring(|rounds| {
        input += serial::take_input();
        rounds >= storm.rounds && input >= storm.input
    })
}

/// What every other processor does (boot.s).
#[unsafe(export_name = "processor_main")]
extern "C" fn processor_main() -> ! {
    if let Err(fault) = interrupts::init_processor() {
        give_up(fault);
    }
    processors::ready();
    let most = ROUNDS.load(Ordering::Relaxed);
    ring(|rounds| rounds >= most)
}

/// Sleeps until it is woken, and wakes the next. Several calls that reach a sleeper are one, but never none.
fn ring(mut is_over: impl FnMut(u32) -> bool) -> ! {
    let next = (interrupts::own_number() + 1) % PROCESSORS.load(Ordering::Relaxed);
    let is_loud = IS_LOUD.load(Ordering::Relaxed);
    for rounds in 1.. {
        interrupts::sleep();
        if is_loud {
            serial::send(b".");
        }
        if is_over(rounds) {
            break;
        }
        interrupts::call(next);
    }
    power::off()
}

fn give_up(fault: Fault) -> ! {
    let mut line = Line::new();
    put!(line, "FAIL storm: {fault}");
    send_line(&[line.as_bytes()]);
    power::off()
}
