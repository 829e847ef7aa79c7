//! vCPUs: one thread each, that does nothing but run the guest and answer its exits.
//!
//! A vCPU belongs to its thread while it runs. To hold it, its thread hands it over, between two of its instructions, and
//! waits until it is given back: whoever has it in between may ask KVM for its registers.

mod counters;
mod exits;
mod kick;
mod report;
mod wish;

use std::sync::Arc;
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
use exits::Left;
pub use exits::Vcpu;
use kick::Target;
pub use wish::{Wish, Wishes};

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
    /// What they are to do.
    pub wishes: Wishes,
}

/// The vCPUs, those that run and those that are held.
pub struct Vcpus {
    shared: Arc<Shared>,
    threads: Vec<Thread>,
    /// This one.
    process: Pid,
    said: Receiver<Word>,
    /// Not with their threads.
    held: Vec<Vcpu>,
    /// Those that run no more. Their threads may not close what a vCPU is made of.
    ended: Vec<Vcpu>,
}

struct Thread {
    target: Arc<Target>,
    page: Arc<RunPage>,
    /// Gives it its vCPU.
    hand: Sender<Vcpu>,
}

/// What a vCPU's thread says of itself.
enum Word {
    /// Its vCPU stands between two instructions, and it waits for it.
    Held(Vcpu),
    /// Its vCPU runs no more.
    Ended(Vcpu),
}

impl Vcpus {
    /// Starts a thread for each vCPU, which goes on when the roll is complete. The vCPUs are held.
    pub fn start(
        vcpus: Vec<VcpuFd>,
        shared: Arc<Shared>,
        roll: &mut RollCall,
    ) -> Result<Vcpus, KvmError> {
        kick::install_handler().map_err(KvmError::call("sigaction of the vCPU kick"))?;
        let (sender, said) = channel();
        let mut held = Vec::with_capacity(vcpus.len());
        let mut threads = Vec::with_capacity(vcpus.len());
        for (index, fd) in vcpus.into_iter().enumerate() {
            let vcpu = Vcpu::new(index, fd, Arc::clone(&shared))?;
            let page = Arc::clone(vcpu.page());
            let member = roll.member(Kind::Vcpu);
            threads.push(start(index, page, Arc::clone(&shared), sender.clone(), member)?);
            held.push(vcpu);
        }
        Ok(Vcpus { shared, threads, process: getpid(), said, held, ended: Vec::new() })
    }

    /// Makes every vCPU leave the guest, with nothing left half done: what it had left the guest for is answered, and the
    /// answer is in its registers. False: one has ended, or does not come within [`VCPU_STOP`].
    pub fn hold(&mut self) -> bool {
        self.call_in(Wish::Hold);
        self.held.sort_by_key(|vcpu| vcpu.index);
        self.held.len() == self.threads.len()
    }

    /// Lets all that are held go on.
    pub fn release(&mut self) {
        self.shared.wishes.set(Wish::Run);
        for thread in &self.threads {
            thread.page.allow_entry();
        }
        for vcpu in self.held.drain(..) {
            let index = vcpu.index;
            // Fails only if the thread has panicked, and then the process ends.
            let _ = self.threads[index].hand.send(vcpu);
        }
    }

    /// Lets those go on that came too late to be held. The bell of [`StopRequest`] says that there may be some.
    pub fn settle(&mut self) {
        while let Ok(word) = self.said.try_recv() {
            self.hear(word);
        }
        if self.shared.wishes.get() == Wish::Run && !self.held.is_empty() {
            self.release();
        }
    }

    /// Those that are held, in their order.
    pub fn held(&self) -> &[Vcpu] {
        &self.held
    }

    /// Makes every vCPU leave the guest and end its thread. Returns their counters; a vCPU that
    /// does not come back in time is left to the end of the process.
    pub fn stop(mut self) -> Counters {
        let missing = self.call_in(Wish::End);
        if missing > 0 {
            log::warn!("{missing} vCPUs did not stop: their exits are not counted");
        }
        let mut counters = Counters::default();
        for vcpu in self.held.iter().chain(&self.ended) {
            counters += vcpu.counters;
        }
        counters
    }

    /// Waits until all vCPUs have left the guest. Gives how many have not.
    fn call_in(&mut self, wish: Wish) -> usize {
        self.shared.wishes.set(wish);
        let out = self.threads.len() - self.held.len() - self.ended.len();
        let mut words = Vec::with_capacity(out);
        let missing = gather(&self.said, out, VCPU_STOP, &mut words, || {
            for thread in &self.threads {
                thread.page.request_exit();
                thread.target.kick(self.process);
            }
        });
        words.into_iter().for_each(|word| self.hear(word));
        missing
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Held(vcpu) => self.held.push(vcpu),
            Word::Ended(vcpu) => self.ended.push(vcpu),
        }
    }
}

/// Kicks until so many vCPUs have said a word, or until patience is at its end. Gives how many have not.
fn gather<T>(
    said: &Receiver<T>,
    mut running: usize,
    patience: Duration,
    words: &mut Vec<T>,
    mut kick: impl FnMut(),
) -> usize {
    let began = Instant::now();
    while running > 0 {
        kick();
        while let Ok(word) = said.recv_timeout(KICK_INTERVAL) {
            words.push(word);
            running -= 1;
            if running == 0 {
                break;
            }
        }
        if began.elapsed() >= patience {
            break;
        }
    }
    running
}

fn start(
    index: usize,
    page: Arc<RunPage>,
    shared: Arc<Shared>,
    said: Sender<Word>,
    member: Member,
) -> Result<Thread, KvmError> {
    let target = Arc::new(Target::default());
    let own = Arc::clone(&target);
    let (hand, given) = channel::<Vcpu>();
    Builder::new()
        .name(format!("vcpu{index}"))
        .stack_size(STACK)
        .spawn(move || {
            own.is_this_thread();
            member.begin();
            while let Ok(mut vcpu) = given.recv() {
                let left = vcpu.run();
                // Fails only if nobody waits any more.
                let _ = match left {
                    Left::Held => said.send(Word::Held(vcpu)),
                    Left::Ended => said.send(Word::Ended(vcpu)),
                };
                shared.stop.ring();
                if left == Left::Ended {
                    break;
                }
            }
            member.end();
        })
        .map_err(KvmError::call("thread of a vCPU"))?;
    Ok(Thread { target, page, hand })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vcpu_without_a_processor_is_waited_for_whatever_the_number_of_kicks() {
        let (sender, said) = channel();
        let (mut kicks, mut words) = (0, Vec::new());
        let missing = gather(&said, 1, Duration::MAX, &mut words, || {
            kicks += 1;
            // It gets its turn at last.
            if kicks == 50 {
                sender.send(7).unwrap();
            }
        });
        assert_eq!((missing, kicks, words), (0, 50, vec![7]));
    }

    #[test]
    fn a_vcpu_that_never_comes_back_is_given_up_and_the_others_count() {
        let (sender, said) = channel();
        sender.send(7).unwrap();
        let mut words = Vec::new();
        assert_eq!(gather(&said, 2, Duration::ZERO, &mut words, || ()), 1);
        assert_eq!(words, [7]);
        assert_eq!(gather(&said, 0, Duration::ZERO, &mut words, || ()), 0);
    }
}
