//! The probe's VM: one vCPU, two megabytes, one device that listens to the guest's progress.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use devices::virtio::mmio::RegisterPages;
use devices::{Outcome, Registers};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::ProbeError;
use crate::bus::Buses;
use crate::config::HugePages;
use crate::event::Wake;
use crate::jail::filters::RollCall;
use crate::machine::{Assembled, assemble};
use crate::memory::{self, Loader};
use crate::native::layout;
use crate::native::probe::{self, STEPS};
use crate::stop::{Stop, StopRequest};
use crate::vcpu::{Shared, Vcpus};

/// What came of it.
pub enum Verdict {
    /// All steps, fast enough.
    Passed,
    /// No step failed, as far as it came in the time.
    Slow(String),
    /// One of them failed.
    Failed(String),
}

const MEMORY: u64 = 2 << 20;
/// A processor takes well under a millisecond for the loop, an interpreter a second.
const LOOP_LIMIT: Duration = Duration::from_millis(100);
/// When the probe gives up.
const PATIENCE: Duration = Duration::from_millis(500);

/// Runs the guest, for half a second at most.
pub fn run() -> Result<Verdict, ProbeError> {
    let memory = memory::create(&layout::ram_ranges(MEMORY), HugePages::None)?;
    let start = probe::load(&mut Loader::new(&memory, HugePages::None))?;
    let Assembled { vm: _vm, vcpus, .. } =
        assemble(memory.clone(), &RegisterPages::new(0), 1, &start)?;
    let mut buses = Buses::default();
    let listener = Arc::new(Mutex::new(Listener::default()));
    probe::listen(listener.clone(), &mut buses);
    let wake = Wake::new().map_err(ProbeError::Thread)?;
    let shared = Arc::new(Shared {
        buses,
        memory,
        stop: StopRequest::new(wake.clone()),
        halt: AtomicBool::new(false),
    });
    let running = Vcpus::start(vcpus, Arc::clone(&shared), &mut RollCall::without_filters())?;
    wait(&wake);
    let stop = shared.stop.reason();
    running.stop();

    let heard = listener.lock().unwrap_or_else(PoisonError::into_inner);
    let step = heard.last.map_or("its first instruction", |(step, _)| STEPS[step - 1]);
    Ok(match stop {
        Some(Stop::PowerOff) if heard.loop_time.is_some_and(|time| time <= LOOP_LIMIT) => {
            Verdict::Passed
        }
        Some(Stop::PowerOff) | None => Verdict::Slow(format!("{step}: too slow for a kernel")),
        Some(Stop::Failure(reason)) => Verdict::Failed(format!("{step}: {reason}")),
        Some(other) => Verdict::Failed(format!("{step}: {other}")),
    })
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
    /// The number of the step that the guest began last, and when.
    last: Option<(usize, Instant)>,
    /// How long the last of all, the loop, took.
    loop_time: Option<Duration>,
}

impl Registers for Listener {
    fn read(&mut self, _offset: u64, data: &mut [u8]) {
        data.fill(0xFF);
    }

    fn write(&mut self, _offset: u64, data: &[u8]) -> Outcome {
        let now = Instant::now();
        let step = usize::from(data[0]);
        match self.last {
            Some((last, began)) if last == STEPS.len() && step == last + 1 => {
                self.loop_time = Some(now - began);
                return Outcome::PowerOff;
            }
            _ if (1..=STEPS.len()).contains(&step) => self.last = Some((step, now)),
            _ => {}
        }
        Outcome::Continue
    }
}
