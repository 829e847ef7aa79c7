//! The way of an interrupt: device → IOAPIC pin → local APIC → vector → handler (boot.s), which counts it.
//!
//! Pin n of the IOAPIC has vector 32 + n. The local APIC's timer is the watchdog of every wait.

use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use super::cpu;
use super::power;
use super::report::{Fault, Line, put, say};

/// IOAPIC pin of COM1.
pub const COM1_PIN: usize = 4;

const VECTORS: usize = 64;
const FIRST_PIN_VECTOR: usize = 32;
const PINS: usize = 24;
const TIMER_VECTOR: usize = 60;
const SPURIOUS_VECTOR: u32 = 63;

/// Local APIC registers (Intel SDM 3A table 11-1).
const LAPIC: u64 = 0xfee0_0000;
const LAPIC_ID: u64 = 0x20;
const LAPIC_SPURIOUS: u64 = 0xf0;
const LAPIC_TIMER: u64 = 0x320;
const LAPIC_TIMER_START: u64 = 0x380;
const LAPIC_TIMER_DIVIDE: u64 = 0x3e0;
const LAPIC_ENABLE: u32 = 1 << 8;
const DIVIDE_BY_1: u32 = 0b1011;

/// IOAPIC registers (Intel 82093AA datasheet §3.1).
const IOAPIC: u64 = 0xfec0_0000;
const IOAPIC_SELECT: u64 = 0x00;
const IOAPIC_WINDOW: u64 = 0x10;
const IOAPIC_VERSION: u32 = 1;
const IOAPIC_REDIRECTION: u32 = 0x10;

/// A second of the timer, which counts nanoseconds on KVM.
const SECOND: u32 = 1_000_000_000;

/// The number of interrupts by each pin.
pub type Counts = [u32; PINS];

/// How often each vector was served; boot.s counts.
#[unsafe(export_name = "interrupt_counts")]
static COUNTS: [AtomicU32; VECTORS] = [const { AtomicU32::new(0) }; VECTORS];

unsafe extern "C" {
    /// Entry points, 16 bytes apart (boot.s).
    #[link_name = "vector_entries"]
    static ENTRIES: [[u8; 16]; VECTORS];
}

/// The interrupt descriptor table (Intel SDM 3A §6.14.1).
static mut TABLE: [[u64; 2]; VECTORS] = [[0; 2]; VECTORS];

fn read(address: u64) -> u32 {
    // SAFETY: only called with registers of the APICs, at their fixed places.
    unsafe { (address as *const u32).read_volatile() }
}

fn write(address: u64, value: u32) {
    // SAFETY: as for `read`.
    unsafe { (address as *mut u32).write_volatile(value) }
}

/// Sets up table and local APIC, and opens every pin of the IOAPIC.
pub fn init() {
    for vector in 0..VECTORS {
        // SAFETY: only an address is taken.
        let entry = unsafe { &raw const ENTRIES[vector] } as u64;
        // Present interrupt gate, code selector 8.
        let low = entry & 0xffff | 0x08 << 16 | 0x8e00 << 32 | (entry >> 16 & 0xffff) << 48;
        // SAFETY: one processor, interrupts off: nobody else looks at the table.
        unsafe { TABLE[vector] = [low, entry >> 32] }
    }
    // SAFETY: the table is a static, and complete.
    unsafe { cpu::load_interrupt_table(&raw const TABLE as u64, (VECTORS * 16 - 1) as u16) }
    // The old interrupt controllers stay silent.
    cpu::out_byte(0x21, 0xff);
    cpu::out_byte(0xa1, 0xff);
    write(LAPIC + LAPIC_SPURIOUS, LAPIC_ENABLE | SPURIOUS_VECTOR);
    write(LAPIC + LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    write(LAPIC + LAPIC_TIMER, TIMER_VECTOR as u32);
    let me = read(LAPIC + LAPIC_ID) & 0xff00_0000;
    for pin in 0..pins().min(PINS) {
        let register = IOAPIC_REDIRECTION + 2 * pin as u32;
        ioapic_write(register + 1, me);
        // Edge-triggered, active high, fixed delivery: all other bits zero.
        ioapic_write(register, (FIRST_PIN_VECTOR + pin) as u32);
    }
}

fn ioapic_write(register: u32, value: u32) {
    write(IOAPIC + IOAPIC_SELECT, register);
    write(IOAPIC + IOAPIC_WINDOW, value);
}

fn pins() -> usize {
    write(IOAPIC + IOAPIC_SELECT, IOAPIC_VERSION);
    (read(IOAPIC + IOAPIC_WINDOW) >> 16 & 0xff) as usize + 1
}

/// How many interrupts came in by this pin.
pub fn count(pin: usize) -> u32 {
    COUNTS[FIRST_PIN_VECTOR + pin].load(Ordering::Relaxed)
}

/// The pin above COM1's by which more interrupts came in than `before` says.
pub fn pin_since(before: &Counts) -> Option<usize> {
    (COM1_PIN + 1..PINS).find(|pin| count(*pin) != before[*pin])
}

/// All counts.
pub fn counts() -> Counts {
    core::array::from_fn(count)
}

/// Sleeps from interrupt to interrupt until the condition holds, for a second at most.
pub fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let timer = &COUNTS[TIMER_VECTOR];
    let before = timer.load(Ordering::Relaxed);
    write(LAPIC + LAPIC_TIMER_START, SECOND);
    let result = loop {
        if done() {
            break true;
        }
        if timer.load(Ordering::Relaxed) != before {
            break false;
        }
        cpu::wait_for_interrupt();
    };
    write(LAPIC + LAPIC_TIMER_START, 0);
    result
}

/// The timer's interrupt arrives. It is waited for without sleeping, so that its absence can be told.
pub fn check_timer(line: &mut Line) -> Result<(), Fault> {
    put!(line, "local APIC {}, {} IOAPIC pins", read(LAPIC + LAPIC_ID) >> 24, pins());
    let timer = &COUNTS[TIMER_VECTOR];
    write(LAPIC + LAPIC_TIMER_START, SECOND / 100_000);
    let came = (0..100_000).any(|_| {
        cpu::allow_interrupts();
        core::hint::spin_loop();
        timer.load(Ordering::Relaxed) != 0
    });
    if came { Ok(()) } else { Err("the timer's interrupt does not arrive") }
}

/// What is on the stack after an exception (boot.s, and Intel SDM 3A figure 6-9).
#[repr(C)]
struct Frame {
    vector: u64,
    error: u64,
    rip: u64,
}

/// Reports an exception and switches off.
#[unsafe(export_name = "exception")]
extern "C" fn exception(frame: *const Frame) -> ! {
    // SAFETY: boot.s passes its stack pointer, where it and the processor put these.
    let Frame { vector, error, rip } = unsafe { ptr::read(frame) };
    let mut line = Line::new();
    let address = cpu::fault_address();
    put!(line, "FAIL exception {vector}: error {error:#x}, RIP {rip:#x}, CR2 {address:#x}");
    say(&[line.as_bytes()]);
    power::off()
}
