//! Tells an emulated host that stands still from one that is slow.
//!
//! Each second the agent inside is asked for a sign of life, on a port of its own. That is a question and a remedy: QEMU's
//! emulation of SVM can lose an interrupt (`qemu` says how), and then an idle host sleeps on; the question is another
//! interrupt, which brings the lost one along. What is left is judged by what QEMU's threads did meanwhile, not by time: a
//! loaded or slow machine leaves them waiting for a processor, and that is no standstill.
//!
//! An x86_64 host is looked at too: whether its processor spins at one place. There it answers every question, for it leaves
//! a guest that spins at each of its own ticks. A host whose clock counts instructions is not asked, only looked at.

mod looks;

use std::fmt;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::activity::Activity;
use super::monitor::Monitor;
use super::wire::{self, Beat, OWN_BEAT, Ping};
use crate::arch::Arch;
use crate::error::{Doing, Error};
use looks::Looks;

/// The time from one question to the next: several of the agent's own beats.
const PERIOD: Duration = OWN_BEAT.saturating_mul(5);

/// The work of a period in which QEMU only took the question, and slept otherwise.
const IDLE_WORK: Duration = Duration::from_millis(20);

/// So many questions one after another that QEMU slept through. An answer takes some hundred thousand instructions.
const MAX_IDLE_PERIODS: u32 = 15;

/// The most work, in processor time, for one answer: some hundred times what it takes beside the other programs of the
/// busiest host of the tests.
const MAX_WORK: Duration = Duration::from_secs(60);

/// How a host stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandStill {
    /// QEMU sleeps, and no question wakes the host.
    Idle(Duration),
    /// QEMU works, this long by now, and the host does not answer.
    Busy(Duration),
    /// A guest spins about this address with interrupts off, so that it waits for nothing but itself.
    Spinning(u64),
}

impl fmt::Display for StandStill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StandStill::Idle(time) => {
                write!(f, "QEMU idle: {} s asleep, and its host gives no answer", time.as_secs())
            }
            StandStill::Busy(work) => write!(
                f,
                "QEMU busy: {} s of processor time, and its host gives no answer",
                work.as_secs()
            ),
            StandStill::Spinning(address) => {
                write!(f, "QEMU busy: a guest spins at {address:#x} with interrupts off")
            }
        }
    }
}

/// What was seen so far.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    lost_interrupts: u32,
    stands_still: Option<StandStill>,
}

/// Feels a host's pulse until it ends, and ends it when it stands still.
pub struct Pulse(Arc<Mutex<Seen>>);

impl Pulse {
    /// Begins to ask the agent through `port`, and to look at the processor of an x86_64 host.
    pub fn feel(emulator: Monitor, arch: Arch, port: UnixStream) -> Result<Pulse, Error> {
        let mut answers = port.try_clone().doing(|| "watch the emulator".into())?;
        let (sender, beats) = channel();
        // Ends with the emulator, and the other thread with it.
        thread::spawn(move || {
            while let Ok(beat) = wire::receive::<Beat>(&mut answers) {
                if sender.send(beat).is_err() {
                    return;
                }
            }
        });
        Ok(Pulse::start(move |seen| {
            let stands_still = ask(&emulator, arch, port, &beats, seen)?;
            Ok(stands_still.inspect(|_| emulator.kill()))
        }))
    }

    /// Begins to look at the processor.
    pub fn look(emulator: Monitor) -> Pulse {
        Pulse::start(move |_| {
            let address = look(&emulator)?;
            emulator.kill();
            Ok(Some(StandStill::Spinning(address)))
        })
    }

    fn start(
        watch: impl FnOnce(&Mutex<Seen>) -> Result<Option<StandStill>, Error> + Send + 'static,
    ) -> Pulse {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let pulse = Pulse(seen.clone());
        thread::spawn(move || {
            // An error is the emulator's end, which is told elsewhere.
            if let Ok(stands_still) = watch(&seen) {
                seen.lock().unwrap_or_else(PoisonError::into_inner).stands_still = stands_still;
            }
        });
        pulse
    }

    /// Whether the host was ended because it stood still.
    pub fn stands_still(&self) -> Option<StandStill> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).stands_still
    }

    /// How many lost interrupts were made good by asking.
    pub fn lost_interrupts(&self) -> u32 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lost_interrupts
    }
}

/// Looks until the processor spins, and returns where.
fn look(emulator: &Monitor) -> Result<u64, Error> {
    let mut looks = Looks::new(emulator.activity()?);
    loop {
        thread::sleep(PERIOD);
        if let Some(address) = looks.look(emulator, emulator.activity()?)? {
            return Ok(address);
        }
    }
}

/// Asks, and looks, until the host stands still, or is gone.
fn ask(
    emulator: &Monitor,
    arch: Arch,
    mut port: UnixStream,
    beats: &Receiver<Beat>,
    seen: &Mutex<Seen>,
) -> Result<Option<StandStill>, Error> {
    let doing = || "ask the emulated host".to_owned();
    let mut judge = Judge::default();
    // The fault is one of the emulation of SVM.
    let mut looks = match arch {
        Arch::X86_64 => Some(Looks::new(emulator.activity()?)),
        Arch::Aarch64 => None,
    };
    loop {
        let asked = emulator.activity()?;
        wire::send(&mut port, &Ping).doing(doing)?;
        let end = Instant::now() + PERIOD;
        loop {
            match beats.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(beat) if judge.answered(asked, beat, emulator.activity()?) => {
                    seen.lock().unwrap_or_else(PoisonError::into_inner).lost_interrupts += 1;
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
        let now = emulator.activity()?;
        if let Some(how) = judge.period_ended(asked, now) {
            return Ok(Some(how));
        }
        match looks.as_mut().map(|looks| looks.look(emulator, now)) {
            Some(Ok(Some(address))) => return Ok(Some(StandStill::Spinning(address))),
            // A host whose monitor says nothing still needs the questions.
            Some(Err(_)) => looks = None,
            _ => {}
        }
    }
}

/// Comes to a verdict. Time goes on in periods here, so that it can be tried without waiting.
#[derive(Debug, Default)]
struct Judge {
    /// The last beat, and what QEMU had done when it came.
    last: Option<(Beat, Activity)>,
    /// The last period had an answer.
    answered: bool,
    /// What QEMU had done when the first question without an answer was asked.
    unanswered_since: Option<Activity>,
    /// Questions that QEMU slept through.
    idle_periods: u32,
}

impl Judge {
    /// A beat came. Whether it had to be asked for: QEMU slept from the last one to the question, and the host should have
    /// been woken by its own timer meanwhile.
    fn answered(&mut self, asked: Activity, beat: Beat, now: Activity) -> bool {
        let was_lost = !self.answered
            && self.unanswered_since.is_none()
            && self.last.is_some_and(|(last, then)| {
                last.own == beat.own && asked.slept_since(then, IDLE_WORK)
            });
        self.last = Some((beat, now));
        self.answered = true;
        was_lost
    }

    fn period_ended(&mut self, asked: Activity, now: Activity) -> Option<StandStill> {
        if std::mem::take(&mut self.answered) {
            self.unanswered_since = None;
            self.idle_periods = 0;
            return None;
        }
        let since = *self.unanswered_since.get_or_insert(asked);
        self.idle_periods =
            if now.slept_since(asked, IDLE_WORK) { self.idle_periods + 1 } else { 0 };
        let work = now.work.saturating_sub(since.work);
        if self.idle_periods >= MAX_IDLE_PERIODS {
            Some(StandStill::Idle(PERIOD * self.idle_periods))
        } else if work >= MAX_WORK {
            Some(StandStill::Busy(work))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
