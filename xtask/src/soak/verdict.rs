//! Why a start does not end: whose fault it is.

use std::fmt;
use std::thread;
use std::time::Duration;

use crate::arch::Arch;
use crate::error::Error;
use crate::host::{Monitor, Processor, StandStill, spinning_at};

/// The looks at the processor, and the time between two: together many of the host's ticks, with which it leaves its
/// guest and comes back.
const LOOKS: usize = 40;
const BETWEEN: Duration = Duration::from_millis(50);

/// Why a start did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// The host stands still: the emulator's fault.
    Host(StandStill),
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
            Stuck::Vmm { asleep: true } => f.write_str("the guest does not come up, and sleeps"),
            Stuck::Vmm { asleep: false } => f.write_str("the guest does not come up, and works"),
        }
    }
}

/// Looks at the processor of a host that answers, but whose guest does not come up.
pub fn look(monitor: &Monitor, arch: Arch) -> Result<Stuck, Error> {
    if arch != Arch::X86_64 {
        // The fault is one of the emulation of SVM.
        return Ok(Stuck::Vmm { asleep: monitor.activity()?.asleep });
    }
    let mut looks = Vec::with_capacity(LOOKS);
    for _ in 0..LOOKS {
        looks.push(monitor.processor()?);
        thread::sleep(BETWEEN);
    }
    Ok(judge(&looks))
}

fn judge(looks: &[Processor]) -> Stuck {
    match spinning_at(looks) {
        Some(address) => StandStill::Spinning(address).into(),
        None => {
            let asleep = looks.iter().filter(|look| look.halted).count();
            Stuck::Vmm { asleep: asleep * 2 > looks.len() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_spinning_guest_is_the_hosts_fault() {
        let judge = |interrupts, halted| {
            judge(&[Processor { instruction: 0x1008, interrupts, halted }; LOOKS])
        };
        assert_eq!(judge(false, false), StandStill::Spinning(0x1000).into());
        assert_eq!(judge(true, false), Stuck::Vmm { asleep: false });
        assert_eq!(judge(true, true), Stuck::Vmm { asleep: true });
    }
}
