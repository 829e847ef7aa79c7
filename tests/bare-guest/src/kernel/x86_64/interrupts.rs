//! The way of an interrupt: device → IOAPIC pin → local APIC → vector → handler (boot.s), which counts it.
//!
//! Pin n of the IOAPIC has vector 32 + n. The local APIC's timer is the watchdog of every wait.

use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use super::cpu;
use super::power;
use crate::kernel::PATIENCE;
use crate::kernel::registers::Registers;
use crate::kernel::report::{Fault, Line, put, send_line};

/// IOAPIC pin of COM1.
pub const COM1_PIN: usize = 4;

const VECTORS: usize = 64;
const FIRST_PIN_VECTOR: usize = 32;
const PINS: usize = 24;
const TIMER_VECTOR: usize = 60;
/// The one that processors send each other.
const CALL_VECTOR: u32 = 61;
const SPURIOUS_VECTOR: u32 = 63;

/// Local APIC registers (Intel SDM 3A table 11-1).
// SAFETY: these are its registers.
const LAPIC: Registers = unsafe { Registers::at(0xfee0_0000) };
const LAPIC_ID: u64 = 0x20;
const LAPIC_SPURIOUS: u64 = 0xf0;
/// Interrupt command: what to send, and, in the upper half, to whom (§10.6.1).
const LAPIC_COMMAND: u64 = 0x300;
const LAPIC_COMMAND_TO: u64 = 0x310;
const LAPIC_TIMER: u64 = 0x320;
const LAPIC_TIMER_START: u64 = 0x380;
const LAPIC_TIMER_DIVIDE: u64 = 0x3e0;
const LAPIC_ENABLE: u32 = 1 << 8;
const DIVIDE_BY_16: u32 = 0b0011;
/// Of a command: assert a fixed interrupt; INIT and start-up for all processors but the one that sends it.
const FIXED: u32 = 1 << 14;
const INIT_OTHERS: u32 = 0b11 << 18 | 1 << 14 | 0b101 << 8;
const START_OTHERS: u32 = 0b11 << 18 | 1 << 14 | 0b110 << 8;

/// IOAPIC registers (Intel 82093AA datasheet §3.1).
// SAFETY: these are its registers.
const IOAPIC: Registers = unsafe { Registers::at(0xfec0_0000) };
const IOAPIC_SELECT: u64 = 0x00;
const IOAPIC_WINDOW: u64 = 0x10;
const IOAPIC_VERSION: u32 = 1;
const IOAPIC_REDIRECTION: u32 = 0x10;

/// A second of the timer, which counts every 16th nanosecond on KVM.
const SECOND: u32 = 1_000_000_000 / 16;

/// What a way in for interrupts is called here.
pub const LINE: &str = "pin";

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
    load();
    // The old interrupt controllers stay silent.
    cpu::out_byte(0x21, 0xff);
    cpu::out_byte(0xa1, 0xff);
    LAPIC.write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_16);
    LAPIC.write(LAPIC_TIMER, TIMER_VECTOR as u32);
    let me = LAPIC.read(LAPIC_ID) & 0xff00_0000;
    for pin in 0..pins().min(PINS) {
        let register = IOAPIC_REDIRECTION + 2 * pin as u32;
        ioapic_write(register + 1, me);
        // Edge-triggered, active high, fixed delivery: all other bits zero.
        ioapic_write(register, (FIRST_PIN_VECTOR + pin) as u32);
    }
}

/// What each other processor has to do for itself, once the first one has filled the table.
pub fn init_processor() -> Result<(), Fault> {
    load();
    Ok(())
}

/// Takes the table, and switches the local APIC on.
fn load() {
    // SAFETY: the table is a static, and complete.
    unsafe { cpu::load_interrupt_table(&raw const TABLE as u64, (VECTORS * 16 - 1) as u16) }
    LAPIC.write(LAPIC_SPURIOUS, LAPIC_ENABLE | SPURIOUS_VECTOR);
}

/// The number of the processor that asks.
pub fn own_number() -> u32 {
    LAPIC.read(LAPIC_ID) >> 24
}

/// Starts all other processors in real mode at the beginning of a page below 1 MiB (Intel SDM 3A §8.4.4.1).
pub fn start_others(page: u8) {
    LAPIC.write(LAPIC_COMMAND, INIT_OTHERS);
    LAPIC.write(LAPIC_COMMAND, START_OTHERS | u32::from(page));
}

/// Interrupts the processor of this number.
pub fn call(number: u32) {
    LAPIC.write(LAPIC_COMMAND_TO, number << 24);
    LAPIC.write(LAPIC_COMMAND, FIXED | CALL_VECTOR);
}

/// Sleeps until something interrupts.
pub fn sleep() {
    cpu::wait_for_interrupt();
}

fn ioapic_write(register: u32, value: u32) {
    IOAPIC.write(IOAPIC_SELECT, register);
    IOAPIC.write(IOAPIC_WINDOW, value);
}

fn pins() -> usize {
    IOAPIC.write(IOAPIC_SELECT, IOAPIC_VERSION);
    (IOAPIC.read(IOAPIC_WINDOW) >> 16 & 0xff) as usize + 1
}

/// How many interrupts came in by this pin.
pub fn count(pin: usize) -> u32 {
    COUNTS[FIRST_PIN_VECTOR + pin].load(Ordering::Relaxed)
}

/// Sleeps from interrupt to interrupt until the condition holds, for as long as patience lasts.
pub fn wait_until(mut done: impl FnMut() -> bool) -> bool {
    let timer = &COUNTS[TIMER_VECTOR];
    let before = timer.load(Ordering::Relaxed);
    LAPIC.write(LAPIC_TIMER_START, PATIENCE * SECOND);
    let result = loop {
        if done() {
            break true;
        }
        if timer.load(Ordering::Relaxed) != before {
            break false;
        }
        cpu::wait_for_interrupt();
    };
    LAPIC.write(LAPIC_TIMER_START, 0);
    result
}

/// The timer's interrupt arrives. It is waited for without sleeping, so that its absence can be told.
pub fn check_timer(line: &mut Line) -> Result<(), Fault> {
    put!(line, "local APIC {}, {} IOAPIC pins", LAPIC.read(LAPIC_ID) >> 24, pins());
    let timer = &COUNTS[TIMER_VECTOR];
    LAPIC.write(LAPIC_TIMER_START, SECOND / 100_000);
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
    send_line(&[line.as_bytes()]);
    power::off()
}
