//! How far a VM's process has come, as the kernel counts it, and when a guest that is not ready yet never will be.
//!
//! Seconds say nothing: a machine may be slow, or busy with others, or asleep. What the VM's threads did says more:
//!
//! - One that has **worked** longer than any boot takes goes round in circles: waits for a lock that nobody gives back, say.
//! - When all of them **slept** through look after look, nothing will wake them that belongs to a boot.
//!
//! A VM that waits for a processor, for a file's pages, or for who has stopped it does neither.

use std::fmt;
use std::fs;
use std::io;
use std::time::Duration;

use host::kvm::Kvm;

/// From one look to the next.
pub const TICK: Duration = Duration::from_secs(1);

/// A VM that gets by with less than this from one look to the next sleeps: a Linux guest that waits for something takes a
/// hundredth of it, and in an emulated host a few.
const SLEEPER: Duration = TICK.checked_div(20).unwrap();

/// In how many units a second the kernel tells times (linux/include/uapi/asm-generic/param.h).
const USER_HZ: u64 = 100;

/// What is too much.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So much processor time of one thread. Time spent waiting for a processor is not in it.
    pub work: Duration,
    /// So many looks at which it slept, in all: a boot never waits that long for a timer of its own.
    pub sleep: u32,
}

impl Limits {
    /// A KVM that is not called slow carries out ten million instructions a second or more (`bulkhead-vmm --probe`), a slow one
    /// a million. So `work` is three thousand million instructions at the least, where Debian's kernel boots with nine
    /// hundred, and where the processor is as fast as most are, two hundred times what it takes.
    pub fn of(kvm: Option<&Kvm>) -> Self {
        let seconds = if let Some(Kvm::Slow(_)) = kvm { 3000 } else { 300 };
        Self { work: Duration::from_secs(seconds), sleep: 60 }
    }
}

/// All threads of a process at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Processor time of the thread that has had the most.
    pub busiest: Duration,
    /// Of all together.
    pub total: Duration,
    /// Pages of files that they had to wait for.
    pub faults: u64,
    /// Whether all of them wait for something to happen: none for a processor or a disk, and none was stopped.
    pub asleep: bool,
}

impl Sample {
    /// Looks at a process of this machine.
    pub fn of(process: u32) -> io::Result<Self> {
        let mut sample = Self { asleep: true, ..Self::default() };
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            // It may have ended since.
            if let Ok(text) = fs::read_to_string(thread?.path().join("stat")) {
                sample.add(&text).ok_or(io::ErrorKind::InvalidData)?;
            }
        }
        Ok(sample)
    }

    /// Adds a thread, by its `stat` (proc(5), `/proc/pid/stat`; the fields' numbers are from there).
    fn add(&mut self, stat: &str) -> Option<()> {
        // The name before it, in brackets, may hold anything.
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let ticks = number(14)?.saturating_add(number(15)?);
        let time = Duration::from_millis(ticks.saturating_mul(1000 / USER_HZ));
        self.busiest = self.busiest.max(time);
        self.total = self.total.saturating_add(time);
        self.faults = self.faults.saturating_add(number(12)?);
        // Sleeping, idle in the kernel, or dead.
        self.asleep &= matches!(*fields.first()?, "S" | "I" | "X" | "Z");
        Some(())
    }
}

/// Why a guest will never be ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hopeless {
    /// It has worked so long.
    Works(Duration),
    /// It has slept so long.
    Sleeps(Duration),
}

impl fmt::Display for Hopeless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works(time) => write!(f, "worked for {} s of a processor's time", time.as_secs()),
            Self::Sleeps(time) => write!(f, "stood still for {} s", time.as_secs()),
        }
    }
}

/// Looks at a VM again and again.
pub struct Judge {
    /// What is too much, from the next look on.
    pub limits: Limits,
    last: Sample,
    slept: u32,
}

impl Judge {
    /// Before its process has done anything.
    pub fn new(limits: Limits) -> Self {
        Self { limits, last: Sample::default(), slept: 0 }
    }

    /// One more look, about a [`TICK`] after the one before. Longer is no matter: a machine that lets us wait lets its guests
    /// wait too.
    pub fn look(&mut self, now: Sample) -> Option<Hopeless> {
        let last = std::mem::replace(&mut self.last, now);
        let idle = now.total.saturating_sub(last.total) < SLEEPER && now.faults == last.faults;
        self.slept += u32::from(idle && now.asleep);
        if now.busiest >= self.limits.work {
            return Some(Hopeless::Works(self.limits.work));
        }
        (self.slept >= self.limits.sleep).then(|| Hopeless::Sleeps(TICK * self.limits.sleep))
    }
}

#[cfg(test)]
mod tests;
