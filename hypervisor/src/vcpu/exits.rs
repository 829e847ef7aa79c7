//! A vCPU's life: run the guest, answer the exit, run the guest.

use std::sync::Arc;

use devices::Outcome;
use kvm_bindings::{KVM_EXIT_ARM_NISV, KVM_SYSTEM_EVENT_RESET, KVM_SYSTEM_EVENT_SHUTDOWN};
use kvm_ioctls::{VcpuExit, VcpuFd};

use super::{Counters, Shared, Wish, report};
use crate::kvm::{KvmError, RunPage};
use crate::native;
use crate::stop::Stop;

/// One vCPU.
pub struct Vcpu {
    /// Its number in the machine.
    pub index: usize,
    /// KVM's descriptor of it.
    pub fd: VcpuFd,
    /// How often it has left the guest so far.
    pub counters: Counters,
    /// A view of its run structure.
    page: Arc<RunPage>,
    /// Buses and stop request.
    shared: Arc<Shared>,
}

/// Why a vCPU runs no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It is held, and can go on.
    Held,
    /// The VM is to end.
    Ended,
}

/// What one entry into the guest came to.
enum Came {
    /// An exit of this outcome. What KVM makes of the answer it does at the next entry.
    Answered(Outcome),
    /// No exit: nothing is half done.
    Interrupted,
}

/// An exit that ends the VM, and needs the vCPU's registers to be reported.
enum Fatal {
    InternalError,
    FailedEntry { reason: u64 },
    Undecoded,
    NoPage,
    Unexpected(String),
}

impl Vcpu {
    /// One that has not run yet.
    pub fn new(index: usize, fd: VcpuFd, shared: Arc<Shared>) -> Result<Vcpu, KvmError> {
        let page = Arc::new(RunPage::new(&fd)?);
        Ok(Vcpu { index, fd, page, shared, counters: Counters::default() })
    }

    /// Its run structure.
    pub fn page(&self) -> &Arc<RunPage> {
        &self.page
    }

    /// Runs until it is to be held or to end.
    ///
    /// Held it is at an entry that KVM did not go through with: KVM first completes the access that the vCPU had left the
    /// guest for, which may take several exits, and then comes back at once (`immediate_exit` in
    /// Documentation/virt/kvm/api.rst §5).
    pub fn run(&mut self) -> Left {
        while self.shared.wishes.get() != Wish::End {
            let stop = match self.step() {
                Ok(Came::Interrupted) if self.shared.wishes.get() == Wish::Hold => {
                    return Left::Held;
                }
                Ok(Came::Interrupted | Came::Answered(Outcome::Continue)) => continue,
                Ok(Came::Answered(outcome)) => Stop::from_outcome(outcome),
                Err(stop) => Some(stop),
            };
            if let Some(stop) = stop {
                self.shared.stop.request(stop);
                break;
            }
        }
        Left::Ended
    }

    /// One entry into the guest and the answer to what it left for.
    fn step(&mut self) -> Result<Came, Stop> {
        let shared = &self.shared;
        let counters = &mut self.counters;
        let fatal = match self.fd.run() {
            Ok(VcpuExit::IoOut(port, data)) => {
                counters.port_writes += 1;
                let width = self.page.port_access_width();
                let mut accesses =
                    data.chunks(width).map(|data| shared.buses.ports.write(port.into(), data));
                let stops = |outcome: &Outcome| *outcome != Outcome::Continue;
                return Ok(Came::Answered(accesses.find(stops).unwrap_or(Outcome::Continue)));
            }
            Ok(VcpuExit::IoIn(port, data)) => {
                counters.port_reads += 1;
                let width = self.page.port_access_width();
                for data in data.chunks_mut(width) {
                    shared.buses.ports.read(port.into(), data);
                }
                return Ok(Came::Answered(Outcome::Continue));
            }
            Ok(VcpuExit::MmioWrite(address, data)) => {
                counters.mmio_writes += 1;
                return Ok(Came::Answered(shared.buses.mmio.write(address, data)));
            }
            Ok(VcpuExit::MmioRead(address, data)) => {
                counters.mmio_reads += 1;
                shared.buses.mmio.read(address, data);
                return Ok(Came::Answered(Outcome::Continue));
            }
            // A halted vCPU waits inside KVM, which has the interrupt controller. KVM_EXIT_HLT comes
            // only from a KVM that can't do that, and then the vCPU is simply entered again.
            Ok(VcpuExit::Hlt) => {
                counters.other += 1;
                return Ok(Came::Answered(Outcome::Continue));
            }
            Ok(VcpuExit::Intr) => {
                counters.other += 1;
                return Ok(Came::Interrupted);
            }
            Ok(VcpuExit::Shutdown) => return Err(Stop::TripleFault),
            Ok(VcpuExit::SystemEvent(KVM_SYSTEM_EVENT_SHUTDOWN, _)) => {
                return Ok(Came::Answered(Outcome::PowerOff));
            }
            Ok(VcpuExit::SystemEvent(KVM_SYSTEM_EVENT_RESET, _)) => {
                return Ok(Came::Answered(Outcome::Reset));
            }
            Ok(VcpuExit::InternalError) => Fatal::InternalError,
            Ok(VcpuExit::FailEntry(reason, _cpu)) => Fatal::FailedEntry { reason },
            Ok(VcpuExit::Unsupported(KVM_EXIT_ARM_NISV)) => Fatal::Undecoded,
            Ok(other) => Fatal::Unexpected(format!("{other:?}")),
            // Kicked, or any other signal, or not to go in.
            Err(error) if error.errno() == libc::EINTR => {
                counters.other += 1;
                return Ok(Came::Interrupted);
            }
            // The vCPU was waiting for its start-up interrupt, and something else came.
            Err(error) if error.errno() == libc::EAGAIN => {
                counters.other += 1;
                return Ok(Came::Answered(Outcome::Continue));
            }
            Err(error) if error.errno() == libc::EFAULT => Fatal::NoPage,
            Err(error) => Fatal::Unexpected(format!("KVM_RUN failed: {error}")),
        };
        let what = match fatal {
            Fatal::InternalError => report::internal_error(self.page.internal_suberror()),
            Fatal::FailedEntry { reason } => {
                format!("the processor refused to enter the guest (hardware reason {reason:#x})")
            }
            // Arm DDI 0487 §D24.2.40, ISS.ISV: only plain loads and stores of one register are described.
            Fatal::Undecoded => format!(
                "an instruction that the processor does not describe accesses {:#x}, where no RAM is",
                self.page.undecoded_address()
            ),
            Fatal::NoPage => "KVM_RUN failed: Bad address: the host has no page there; was the kernel's file cut short?"
                .to_owned(),
            Fatal::Unexpected(what) => format!("unexpected exit from the guest: {what}"),
        };
        let place = native::place(&self.fd, &self.shared.memory);
        Err(Stop::Failure(format!("vCPU {}: {what} {place}", self.index)))
    }
}
