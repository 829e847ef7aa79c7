//! Why a start does not end: whose fault it is.

use std::collections::HashMap;
use std::fmt;
use std::thread;
use std::time::Duration;

use crate::error::Error;
use crate::host::{Monitor, Processor, StandStill};

/// The looks at the processor, and the time between two: together many of the host's ticks, with which it leaves its
/// guest and comes back.
const LOOKS: usize = 40;
const BETWEEN: Duration = Duration::from_millis(50);

/// So many of the looks at one place are no chance: the host's own ticks take the others.
const AT_ONE_PLACE: usize = LOOKS * 3 / 4;

/// A loop that waits for a word in memory fits in so many bytes.
const PLACE: u64 = 256;

/// Why a start did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// The host stands still: the emulator's fault.
    Host(StandStill),
    /// The processor spins at this address with interrupts off, so that it waits for nothing but itself: the emulator gave a
    /// guest an interrupt where it takes none (`host/qemu.rs` says how).
    Spinning(u64),
    /// The host goes on, and the guest does not come up: the VMM's fault, or the guest's.
    Vmm {
        /// The processor mostly waits for an interrupt.
        asleep: bool,
    },
}

impl Stuck {
    /// Whether the emulator did it.
    pub fn is_the_hosts(self) -> bool {
        !matches!(self, Stuck::Vmm { .. })
    }
}

impl From<StandStill> for Stuck {
    fn from(how: StandStill) -> Stuck {
        Stuck::Host(how)
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stuck::Host(how) => write!(f, "{how}"),
            Stuck::Spinning(address) => {
                write!(f, "QEMU busy: a guest spins at {address:#x} with interrupts off")
            }
            Stuck::Vmm { asleep: true } => f.write_str("the guest does not come up, and sleeps"),
            Stuck::Vmm { asleep: false } => f.write_str("the guest does not come up, and works"),
        }
    }
}

/// Looks at the processor of a host that answers, but whose guest does not come up.
pub fn look(monitor: &mut Monitor) -> Result<Stuck, Error> {
    let mut looks = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        looks.push(monitor.processor()?);
        thread::sleep(BETWEEN);
    }
    Ok(judge(&looks))
}

fn judge(looks: &[Processor]) -> Stuck {
    let mut places: HashMap<u64, usize> = HashMap::new();
    for look in looks.iter().filter(|look| !look.interrupts && !look.halted) {
        // A loop across the border of two places counts in both.
        let place = look.instruction / PLACE;
        *places.entry(place).or_default() += 1;
        *places.entry(place.wrapping_sub(1)).or_default() += 1;
    }
    match places.into_iter().max_by_key(|&(place, count)| (count, place)) {
        Some((place, count)) if count >= AT_ONE_PLACE => Stuck::Spinning(place * PLACE),
        _ => {
            let asleep = looks.iter().filter(|look| look.halted).count();
            Stuck::Vmm { asleep: asleep * 2 > looks.len() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(at: impl Fn(u64) -> Processor) -> Vec<Processor> {
        (0..LOOKS as u64).map(at).collect()
    }

    #[test]
    fn one_place_with_interrupts_off_is_a_spinning_guest() {
        let spin = |n| Processor { instruction: 0x10f8 + n % 16, interrupts: false, halted: false };
        let tick = Processor { instruction: 0x9_0000, interrupts: false, halted: false };
        let seen = looks(|n| if n % 5 == 0 { tick } else { spin(n) });
        assert_eq!(judge(&seen), Stuck::Spinning(0x1000));
        let seen = looks(|n| if n % 2 == 0 { tick } else { spin(n) });
        assert_eq!(judge(&seen), Stuck::Vmm { asleep: false });
    }

    #[test]
    fn a_guest_that_works_or_sleeps_is_the_vmms() {
        let works = looks(|n| Processor { instruction: n << 20, interrupts: false, halted: false });
        assert_eq!(judge(&works), Stuck::Vmm { asleep: false });
        let polls = looks(|_| Processor { instruction: 8, interrupts: true, halted: false });
        assert_eq!(judge(&polls), Stuck::Vmm { asleep: false });
        let sleeps = looks(|_| Processor { instruction: 8, interrupts: true, halted: true });
        assert_eq!(judge(&sleeps), Stuck::Vmm { asleep: true });
    }
}
