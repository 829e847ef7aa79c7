//! Watches over a VM until its guest is ready, so that one that never will be keeps nobody waiting for ever.

use std::io;
use std::os::fd::OwnedFd;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};

use super::progress::{Judge, Limits, Sample, TICK};
use super::vmm::{Vmm, kvm};
use crate::conversation::{Guest, Onlooker};
use host::child::child_of;

/// After so many looks, many times what a boot takes, KVM may be to blame.
const DOUBT: u32 = 5;

/// A thread's.
struct Watch {
    /// Closed when the guest is ready, or the VM gone.
    ready: OwnedFd,
    guest: Onlooker,
    vmm: OwnedFd,
    /// The one that waits outside of the VM's jail.
    process: u32,
}

/// Starts to.
pub fn watch(guest: &Guest, vmm: &Vmm) -> io::Result<()> {
    let watch = Watch {
        ready: guest.ready()?,
        guest: guest.onlooker(),
        vmm: vmm.pidfd().try_clone_to_owned()?,
        process: vmm.id(),
    };
    thread::Builder::new().name("watch".into()).spawn(move || watch.keep()).map(drop)
}

impl Watch {
    fn keep(self) {
        let mut judge = Judge::new(Limits::of(None));
        let mut looks = 0;
        while !is_closed_after_a_tick(&self.ready) {
            looks += 1;
            if looks == DOUBT {
                let kvm = kvm();
                if kvm.as_ref().is_some_and(|kvm| kvm.lack().is_some()) {
                    // An interpreter of kernels may take hours to come to what it can't do. Why the VM ended is found out again
                    // by who explains it.
                    let _ = pidfd_send_signal(&self.vmm, Signal::TERM);
                    return;
                }
                judge.limits = Limits::of(kvm.as_ref());
            }
            // Of a VM that can't be looked at nothing is known: it may be about to get ready.
            if let Ok(sample) = child_of(self.process).and_then(Sample::of)
                && let Some(why) = judge.look(sample)
            {
                return self.guest.give_up(why.to_string());
            }
        }
    }
}

/// Waits, a tick at most. An error counts as closed.
fn is_closed_after_a_tick(pipe: &OwnedFd) -> bool {
    let tick = Timespec { tv_sec: TICK.as_secs() as i64, tv_nsec: TICK.subsec_nanos().into() };
    !matches!(
        poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&tick)),
        Ok(0) | Err(rustix::io::Errno::INTR)
    )
}
