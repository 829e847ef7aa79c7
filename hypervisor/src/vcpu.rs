//! vCPUs: one thread each, that does nothing but run the guest and answer its exits.

mod counters;
mod exits;
mod kick;
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use devices::GuestMemory;
use kvm_ioctls::VcpuFd;
use rustix::process::{Pid, getpid};

use crate::bus::Buses;
use crate::jail::filters::{Member, RollCall, Thread as Kind};
use crate::kvm::{KvmError, RunPage};
use crate::limits::{STACK, VCPU_STOP};
use crate::stop::StopRequest;

pub use counters::Counters;
use kick::Target;

/// How long a vCPU has to come back before it is kicked again. Once is enough for one that is in the
/// guest; one that is in a device model, writing to a console that nobody reads, gives up after a few
/// interruptions, and of those that come while it has no processor it notices one.
const KICK_INTERVAL: Duration = Duration::from_millis(20);

/// What all vCPUs of a VM have in common.
pub struct Shared {
    pub buses: Buses,
    /// Guest memory, for reports.
    pub memory: GuestMemory,
    /// Where a reason to stop goes.
    pub stop: StopRequest,
    /// Set once all threads are to end.
    pub halt: AtomicBool,
}

/// The running vCPUs.
pub struct Vcpus {
    shared: Arc<Shared>,
    threads: Vec<Thread>,
    /// This one.
    process: Pid,
    done: Receiver<Counters>,
}

struct Thread {
    target: Arc<Target>,
    page: Arc<RunPage>,
}

impl Vcpus {
    /// Starts a thread for each vCPU, which goes on when the roll is complete.
    pub fn start(
        vcpus: Vec<VcpuFd>,
        shared: Arc<Shared>,
        roll: &mut RollCall,
    ) -> Result<Vcpus, KvmError> {
        kick::install_handler().map_err(KvmError::call("sigaction of the vCPU kick"))?;
        let (sender, done) = channel();
        let threads = vcpus
            .into_iter()
            .enumerate()
            .map(|(index, fd)| {
                let member = roll.member(Kind::Vcpu);
                start(index, fd, Arc::clone(&shared), sender.clone(), member)
            })
            .collect::<Result<_, _>>()?;
        Ok(Vcpus { shared, threads, process: getpid(), done })
    }

    /// Makes every vCPU leave the guest and end its thread. Returns their counters; a vCPU that
    /// does not come back in time is left to the end of the process.
    pub fn stop(self) -> Counters {
        self.shared.halt.store(true, Ordering::SeqCst);
        gather(&self.done, self.threads.len(), VCPU_STOP, || {
            for thread in &self.threads {
                thread.page.request_exit();
                thread.target.kick(self.process);
            }
        })
    }
}

/// Kicks until so many vCPUs have told their counters, or until patience is at its end.
fn gather(
    done: &Receiver<Counters>,
    mut running: usize,
    patience: Duration,
    mut kick: impl FnMut(),
) -> Counters {
    let mut total = Counters::default();
    let began = Instant::now();
    while running > 0 {
        kick();
        while let Ok(counters) = done.recv_timeout(KICK_INTERVAL) {
            total += counters;
            running -= 1;
            if running == 0 {
                break;
            }
        }
        if running > 0 && began.elapsed() >= patience {
            log::warn!("{running} vCPUs did not stop: their exits are not counted");
            break;
        }
    }
    total
}

fn start(
    index: usize,
    fd: VcpuFd,
    shared: Arc<Shared>,
    done: Sender<Counters>,
    member: Member,
) -> Result<Thread, KvmError> {
    let target = Arc::new(Target::default());
    let own = Arc::clone(&target);
    let page = Arc::new(RunPage::new(&fd)?);
    let mut vcpu =
        exits::Vcpu { index, fd, page: Arc::clone(&page), shared, counters: Counters::default() };
    Builder::new()
        .name(format!("vcpu{index}"))
        .stack_size(STACK)
        .spawn(move || {
            own.is_this_thread();
            member.begin();
            vcpu.run();
            // Fails only if nobody waits any more.
            let _ = done.send(vcpu.counters);
            member.end();
        })
        .map_err(KvmError::call("thread of a vCPU"))?;
    Ok(Thread { target, page })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exits of one vCPU.
    fn some() -> Counters {
        Counters { other: 7, ..Counters::default() }
    }

    #[test]
    fn a_vcpu_without_a_processor_is_waited_for_whatever_the_number_of_kicks() {
        let (sender, done) = channel();
        let mut kicks = 0;
        let total = gather(&done, 1, Duration::MAX, || {
            kicks += 1;
            // It gets its turn at last.
            if kicks == 50 {
                sender.send(some()).unwrap();
            }
        });
        assert_eq!((total, kicks), (some(), 50));
    }

    #[test]
    fn a_vcpu_that_never_comes_back_is_given_up_and_the_others_count() {
        let (sender, done) = channel();
        sender.send(some()).unwrap();
        assert_eq!(gather(&done, 2, Duration::ZERO, || ()), some());
        assert_eq!(gather(&done, 0, Duration::ZERO, || ()), Counters::default());
    }
}
