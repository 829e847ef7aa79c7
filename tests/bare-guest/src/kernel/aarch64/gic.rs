//! The interrupt controller: GICv3 (Arm IHI 0069H), or GICv2 (Arm IHI 0048B) on hosts with no other.

use core::sync::atomic::{AtomicBool, Ordering};

use super::cpu::{self, read_system, write_system};
use super::fdt::{Fdt, Interrupt};
use super::timer;
use crate::kernel::registers::Registers;
use crate::kernel::report::{Fault, Line, put};

pub const V2: &str = "arm,cortex-a15-gic";
pub const V3: &str = "arm,gic-v3";
pub const DISTRIBUTOR_ADDRESS: u64 = 0x0800_0000;
pub const CPU_INTERFACE_ADDRESS: u64 = 0x0801_0000;
pub const REDISTRIBUTORS_ADDRESS: u64 = 0x080a_0000;

/// Distributor registers (IHI 0069H §12.9).
// SAFETY: they are there or nothing is.
const DISTRIBUTOR: Registers = unsafe { Registers::at(DISTRIBUTOR_ADDRESS) };
const CONTROL: u64 = 0x0;
const ENABLE_GROUP_0: u32 = 1;
const ENABLE_GROUP_1: u32 = 1 << 1;
const AFFINITY_ROUTING: u32 = 1 << 4;
const TYPE: u64 = 0x4;
const GROUP: u64 = 0x80;
const ENABLE: u64 = 0x100;
const TARGETS: u64 = 0x800;
const TRIGGER: u64 = 0xc00;
/// Software-generated interrupts of a GICv2 (IHI 0048B §4.3.15).
const SEND: u64 = 0xf00;
const ROUTE: u64 = 0x6000;

/// Redistributors (IHI 0069H §12.11): of each processor a frame of 64 KiB, and one for its SGIs and PPIs, in which GROUP
/// and ENABLE are as in the distributor.
const REDISTRIBUTOR_LEN: u64 = 0x2_0000;
const MAX_REDISTRIBUTORS: u64 = 32;
const SGI_FRAME: u64 = 0x1_0000;
const REDISTRIBUTOR_TYPE: u64 = 0x8;
const LAST: u32 = 1 << 4;
const AFFINITY: u64 = 0xc;
const WAKE: u64 = 0x14;
const ASLEEP: u32 = 1 << 2;

/// CPU interface of a GICv2 (IHI 0048B §4.4); that of a GICv3 is in system registers.
// SAFETY: they are there or nothing is.
const CPU_INTERFACE: Registers = unsafe { Registers::at(CPU_INTERFACE_ADDRESS) };
const PRIORITY_MASK: u64 = 0x4;
const ACKNOWLEDGE: u64 = 0xc;
const END: u64 = 0x10;
const LOWEST_PRIORITY: u32 = 0xff;

/// INTIDs from here on have a meaning of their own, such as "none".
const FIRST_SPECIAL: u32 = 1020;
/// Of what a GICv2 acknowledges the INTID; above it stands which processor sent it (IHI 0048B §4.4.4).
const INTID: u32 = 0x3ff;
/// The interrupt that processors send each other.
const CALL: u32 = 1;

static IS_V3: AtomicBool = AtomicBool::new(false);

fn is_v3() -> bool {
    IS_V3.load(Ordering::Relaxed)
}

/// Sets it up for this processor.
pub fn check(line: &mut Line, fdt: Fdt) -> Result<(), Fault> {
    init(fdt);
    let version = if is_v3() { 3 } else { 2 };
    put!(line, "GICv{version}, {} INTIDs", ((DISTRIBUTOR.read(TYPE) & 0x1f) + 1) * 32);
    init_processor()
}

/// Finds out which it is, and switches the part on that all processors share.
pub fn init(fdt: Fdt) {
    IS_V3.store(fdt.compatible(V3).next().is_some(), Ordering::Relaxed);
    let control = if is_v3() { ENABLE_GROUP_1 | AFFINITY_ROUTING } else { ENABLE_GROUP_0 };
    DISTRIBUTOR.write(CONTROL, control);
}

/// What each processor has to do for itself, with the timer's interrupt and calls on.
pub fn init_processor() -> Result<(), Fault> {
    if is_v3() {
        write_system!("icc_sre_el1", read_system!("icc_sre_el1") | 1);
        if read_system!("icc_sre_el1") & 1 == 0 {
            return Err("the system registers can't be switched on");
        }
        let own = own_sgi_frame()?;
        [CALL, timer::INTID].into_iter().for_each(|intid| switch_on(own, intid));
        write_system!("icc_pmr_el1", LOWEST_PRIORITY.into());
        write_system!("icc_igrpen1_el1", 1);
    } else {
        [CALL, timer::INTID].into_iter().for_each(|intid| switch_on(DISTRIBUTOR, intid));
        CPU_INTERFACE.write(PRIORITY_MASK, LOWEST_PRIORITY);
        CPU_INTERFACE.write(CONTROL, ENABLE_GROUP_0);
    }
    Ok(())
}

/// Finds this processor's redistributor and wakes it.
fn own_sgi_frame() -> Result<Registers, Fault> {
    let affinity = packed_affinity();
    for i in 0..MAX_REDISTRIBUTORS {
        let address = REDISTRIBUTORS_ADDRESS + i * REDISTRIBUTOR_LEN;
        // SAFETY: they are there or nothing is.
        let (frame, sgi_frame) =
            unsafe { (Registers::at(address), Registers::at(address + SGI_FRAME)) };
        if frame.read(AFFINITY) == affinity {
            frame.write(WAKE, 0);
            let awake = (0..10_000).any(|_| frame.read(WAKE) & ASLEEP == 0);
            return if awake { Ok(sgi_frame) } else { Err("the redistributor does not wake") };
        }
        if frame.read(REDISTRIBUTOR_TYPE) & LAST != 0 {
            break;
        }
    }
    Err("this processor has no redistributor")
}

/// Affinity levels 3 to 0 as a redistributor has them.
fn packed_affinity() -> u32 {
    let affinity = cpu::affinity();
    (affinity >> 32 << 24) as u32 | affinity as u32
}

/// Lets an SPI in, and to this processor.
pub fn open(interrupt: Interrupt) {
    let Some(spi) = interrupt.spi() else { return };
    let intid = spi as u32 + 32;
    let place = u64::from(intid);
    let trigger = TRIGGER + place / 16 * 4;
    let edge = 2 << (intid % 16 * 2);
    let others = DISTRIBUTOR.read(trigger) & !edge;
    DISTRIBUTOR.write(trigger, others | if interrupt.is_edge() { edge } else { 0 });
    if is_v3() {
        let affinity = cpu::affinity();
        DISTRIBUTOR.write(ROUTE + place * 8, affinity as u32);
        DISTRIBUTOR.write(ROUTE + place * 8 + 4, (affinity >> 32) as u32);
    } else {
        // The targets of the first four interrupts are whoever reads them.
        let targets = TARGETS + place / 4 * 4;
        let byte = 0xff << (intid % 4 * 8);
        let others = DISTRIBUTOR.read(targets) & !byte;
        DISTRIBUTOR.write(targets, others | DISTRIBUTOR.read(TARGETS) & byte);
    }
    switch_on(DISTRIBUTOR, intid);
}

fn switch_on(registers: Registers, intid: u32) {
    let (place, bit) = (u64::from(intid / 32 * 4), 1 << (intid % 32));
    if is_v3() {
        registers.write(GROUP + place, registers.read(GROUP + place) | bit);
    }
    registers.write(ENABLE + place, bit);
}

/// Interrupts the processor of this affinity.
pub fn call(affinity: u64) {
    if is_v3() {
        // ICC_SGI1R_EL1 (IHI 0069H §12.2.20): the last level as one bit of a group of 16, the others as numbers.
        let level = |number: u64| affinity >> (8 * number) & 0xff;
        let last = 1 << (level(0) % 16) | (level(0) / 16) << 44;
        let others = level(1) << 16 | level(2) << 32 | level(4) << 48;
        write_system!("icc_sgi1r_el1", last | others | u64::from(CALL) << 24);
    } else {
        DISTRIBUTOR.write(SEND, 1 << (16 + affinity % 8) | CALL);
    }
}

/// What [`end`] takes, and the INTID in it, of the interrupt that is pending. `None` when its cause has gone meanwhile.
pub fn acknowledge() -> Option<(u32, u32)> {
    let acknowledged = if is_v3() {
        // Reading it takes the interrupt, which the program only does here.
        read_system!("icc_iar1_el1") as u32
    } else {
        CPU_INTERFACE.read(ACKNOWLEDGE)
    };
    let intid = acknowledged & INTID;
    (intid < FIRST_SPECIAL).then_some((acknowledged, intid))
}

/// It was served.
pub fn end(acknowledged: u32) {
    if is_v3() {
        write_system!("icc_eoir1_el1", acknowledged.into());
    } else {
        CPU_INTERFACE.write(END, acknowledged);
    }
}
