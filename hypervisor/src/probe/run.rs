//! The probe's VM: one vCPU, two megabytes, one device that listens to the guest's progress.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arch::x86_64::layout;
use arch::x86_64::regs::{self, TableRegister};
use devices::{Outcome, Registers};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ProbeError;
use super::guest::{self, Step};
use crate::bus::Bus;
use crate::event::Wake;
use crate::kvm::Vm;
use crate::memory::{self, Loader};
use crate::stop::{Stop, StopRequest};
use crate::vcpu::{Shared, Vcpus};

/// What came of it.
pub enum Verdict {
    /// All steps, fast enough.
    Passed,
    /// One of them failed.
    Failed(String),
}

const MEMORY: u64 = 2 << 20;
/// The guest's interrupt descriptor table, in a page that nothing else uses.
const IDT: u64 = 0x1000;
/// Vector of `int3` (Intel SDM 3A §6.3.1).
const BREAKPOINT: u64 = 3;
/// A processor takes well under a millisecond for the loop, an interpreter a second.
const LOOP_LIMIT: Duration = Duration::from_millis(100);
/// When the probe gives up.
const PATIENCE: Duration = Duration::from_millis(500);

/// Runs the guest, for half a second at most.
pub fn run() -> Result<Verdict, ProbeError> {
    let ram = layout::ram_ranges(MEMORY);
    let memory = memory::create(&ram)?;
    let mut start = regs::long_mode(layout::KERNEL, layout::ZERO_PAGE);
    let idt = idt(start.code.selector, layout::KERNEL + guest::breakpoint_offset());
    start.idt = TableRegister { base: IDT, limit: (idt.len() - 1) as u16 };
    let mut loader = Loader::new(&memory);
    for (gpa, bytes) in start.memory() {
        loader.write(gpa, &bytes)?;
    }
    loader.write(IDT, &idt)?;
    loader.write(layout::KERNEL, guest::code())?;

    let vm = Vm::new(memory)?;
    let vcpus = vm.vcpus(1, &start)?;
    let mut ports = Bus::default();
    let listener = Arc::new(Mutex::new(Listener::default()));
    ports.insert(guest::PORT.into(), 1, listener.clone());
    let wake = Wake::new().map_err(ProbeError::Thread)?;
    let shared = Arc::new(Shared {
        ports,
        mmio: Bus::default(),
        memory: vm.memory().clone(),
        stop: StopRequest::new(wake.clone()),
        halt: AtomicBool::new(false),
    });
    let running = Vcpus::start(vcpus, Arc::clone(&shared))?;
    wait(&wake);
    let stop = shared.stop.reason();
    running.stop();

    let heard = listener.lock().unwrap_or_else(PoisonError::into_inner);
    let step = heard.last.map_or("its first instruction", |(step, _)| step.name());
    Ok(match stop {
        Some(Stop::PowerOff) if heard.loop_time.is_some_and(|time| time <= LOOP_LIMIT) => {
            Verdict::Passed
        }
        Some(Stop::PowerOff) | None => Verdict::Failed(format!("{step}: too slow for a kernel")),
        Some(Stop::Failure(reason)) => Verdict::Failed(format!("{step}: {reason}")),
        Some(other) => Verdict::Failed(format!("{step}: {other}")),
    })
}

/// A table whose only entry is the handler of `int3`: a 64-bit interrupt gate
/// (Intel SDM 3A §6.14.1).
fn idt(selector: u16, handler: u64) -> Vec<u8> {
    const PRESENT_INTERRUPT_GATE: u64 = 0x8E << 40;
    let low = (handler & 0xFFFF)
        | u64::from(selector) << 16
        | PRESENT_INTERRUPT_GATE
        | (handler >> 16 & 0xFFFF) << 48;
    let high = handler >> 32;
    let mut table = vec![0; 16 * BREAKPOINT as usize];
    table.extend(low.to_le_bytes());
    table.extend(high.to_le_bytes());
    table
}

/// Waits for a reason to stop, or until there is no more patience.
fn wait(wake: &Wake) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(wake, PollFlags::IN)], Some(&left)) {
            Err(rustix::io::Errno::INTR) => {}
            _ => return,
        }
    }
}

/// The device that the guest reports to.
#[derive(Default)]
struct Listener {
    /// The last step that the guest began, and when.
    last: Option<(Step, Instant)>,
    /// How long the loop took.
    loop_time: Option<Duration>,
}

impl Registers for Listener {
    fn read(&mut self, _offset: u64, data: &mut [u8]) {
        data.fill(0xFF);
    }

    fn write(&mut self, _offset: u64, data: &[u8]) -> Outcome {
        let now = Instant::now();
        let step = match data {
            [number] => Step::from_number(*number),
            _ => None,
        };
        match (self.last, step) {
            (Some((Step::Loop, began)), Some(Step::Done)) => {
                self.loop_time = Some(now - began);
                Outcome::PowerOff
            }
            (_, Some(step)) => {
                self.last = Some((step, now));
                Outcome::Continue
            }
            (_, None) => Outcome::Continue,
        }
    }
}
