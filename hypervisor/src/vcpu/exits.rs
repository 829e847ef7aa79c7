//! A vCPU's life: run the guest, answer the exit, run the guest.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use devices::Outcome;
use kvm_bindings::{KVM_EXIT_ARM_NISV, KVM_SYSTEM_EVENT_RESET, KVM_SYSTEM_EVENT_SHUTDOWN};
use kvm_ioctls::{VcpuExit, VcpuFd};

use super::{Counters, Shared, report};
use crate::kvm::RunPage;
use crate::native;
use crate::stop::Stop;

/// One vCPU in its thread.
pub struct Vcpu {
    pub index: usize,
    pub fd: VcpuFd,
    /// A view of its run structure.
    pub page: Arc<RunPage>,
    /// Buses and stop request.
    pub shared: Arc<Shared>,
    pub counters: Counters,
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
    /// Runs until the VM is to stop.
    pub fn run(&mut self) {
        while !self.shared.halt.load(Ordering::SeqCst) {
            let stop = match self.step() {
                Ok(Outcome::Continue) => continue,
                Ok(outcome) => Stop::from_outcome(outcome),
                Err(stop) => Some(stop),
            };
            if let Some(stop) = stop {
                self.shared.stop.request(stop);
                return;
            }
        }
    }

    /// One entry into the guest and the answer to what it left for.
    fn step(&mut self) -> Result<Outcome, Stop> {
        let shared = &self.shared;
        let counters = &mut self.counters;
        let fatal = match self.fd.run() {
            Ok(VcpuExit::IoOut(port, data)) => {
                counters.port_writes += 1;
                let width = self.page.port_access_width();
                let mut accesses =
                    data.chunks(width).map(|data| shared.buses.ports.write(port.into(), data));
                let stops = |outcome: &Outcome| *outcome != Outcome::Continue;
                return Ok(accesses.find(stops).unwrap_or(Outcome::Continue));
            }
            Ok(VcpuExit::IoIn(port, data)) => {
                counters.port_reads += 1;
                let width = self.page.port_access_width();
                for data in data.chunks_mut(width) {
                    shared.buses.ports.read(port.into(), data);
                }
                return Ok(Outcome::Continue);
            }
            Ok(VcpuExit::MmioWrite(address, data)) => {
                counters.mmio_writes += 1;
                return Ok(shared.buses.mmio.write(address, data));
            }
            Ok(VcpuExit::MmioRead(address, data)) => {
                counters.mmio_reads += 1;
                shared.buses.mmio.read(address, data);
                return Ok(Outcome::Continue);
            }
            // A halted vCPU waits inside KVM, which has the interrupt controller. KVM_EXIT_HLT comes
            // only from a KVM that can't do that, and then the vCPU is simply entered again.
            Ok(VcpuExit::Hlt | VcpuExit::Intr) => {
                counters.other += 1;
                return Ok(Outcome::Continue);
            }
            Ok(VcpuExit::Shutdown) => return Err(Stop::TripleFault),
            Ok(VcpuExit::SystemEvent(KVM_SYSTEM_EVENT_SHUTDOWN, _)) => {
                return Ok(Outcome::PowerOff);
            }
            Ok(VcpuExit::SystemEvent(KVM_SYSTEM_EVENT_RESET, _)) => return Ok(Outcome::Reset),
            Ok(VcpuExit::InternalError) => Fatal::InternalError,
            Ok(VcpuExit::FailEntry(reason, _cpu)) => Fatal::FailedEntry { reason },
            Ok(VcpuExit::Unsupported(KVM_EXIT_ARM_NISV)) => Fatal::Undecoded,
            Ok(other) => Fatal::Unexpected(format!("{other:?}")),
            // EINTR: kicked, or any other signal. EAGAIN: the vCPU was waiting for its start-up
            // interrupt, and something else came.
            Err(error) if matches!(error.errno(), libc::EINTR | libc::EAGAIN) => {
                counters.other += 1;
                return Ok(Outcome::Continue);
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
