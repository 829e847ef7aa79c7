//! vCPUs: one thread each, that does nothing but run the guest and answer its exits.

mod counters;
mod exits;
mod kick;
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use devices::GuestMemory;
use kvm_ioctls::VcpuFd;

use crate::bus::Buses;
use crate::kvm::{KvmError, RunPage};
use crate::limits::STACK;
use crate::stop::StopRequest;

pub use counters::Counters;

/// How often a vCPU is kicked. Once is enough for one that is in the guest; one that is in a device
/// model, writing to a console that nobody reads, gives up after a few interruptions.
const KICKS: usize = 20;
/// How long it has to come back before the next kick.
const KICK_INTERVAL: Duration = Duration::from_millis(20);

/// What all vCPUs of a VM have in common.
pub struct Shared {
    /// The devices.
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
    done: Receiver<Counters>,
}

struct Thread {
    handle: JoinHandle<()>,
    page: Arc<RunPage>,
}

impl Vcpus {
    /// Starts a thread for each vCPU.
    pub fn start(vcpus: Vec<VcpuFd>, shared: Arc<Shared>) -> Result<Vcpus, KvmError> {
        kick::install_handler().map_err(KvmError::call("sigaction of the vCPU kick"))?;
        let (sender, done) = channel();
        let threads = vcpus
            .into_iter()
            .enumerate()
            .map(|(index, fd)| start(index, fd, Arc::clone(&shared), sender.clone()))
            .collect::<Result<_, _>>()?;
        Ok(Vcpus { shared, threads, done })
    }

    /// Makes every vCPU leave the guest and end its thread. Returns their counters; a vCPU that
    /// does not come back in time is left to the end of the process.
    pub fn stop(self) -> Counters {
        self.shared.halt.store(true, Ordering::SeqCst);
        let mut total = Counters::default();
        let mut running = self.threads.len();
        for _ in 0..KICKS {
            for thread in &self.threads {
                thread.page.request_exit();
                kick::kick(&thread.handle);
            }
            while running > 0 {
                let Ok(counters) = self.done.recv_timeout(KICK_INTERVAL) else { break };
                total += counters;
                running -= 1;
            }
            if running == 0 {
                return total;
            }
        }
        log::warn!("{running} vCPUs did not stop: their exits are not counted");
        total
    }
}

fn start(
    index: usize,
    fd: VcpuFd,
    shared: Arc<Shared>,
    done: Sender<Counters>,
) -> Result<Thread, KvmError> {
    let page = Arc::new(RunPage::new(&fd)?);
    let mut vcpu =
        exits::Vcpu { index, fd, page: Arc::clone(&page), shared, counters: Counters::default() };
    let handle = Builder::new()
        .name(format!("vcpu{index}"))
        .stack_size(STACK)
        .spawn(move || {
            vcpu.run();
            // Fails only if nobody waits any more.
            let _ = done.send(vcpu.counters);
        })
        .map_err(KvmError::call("thread of a vCPU"))?;
    Ok(Thread { handle, page })
}
