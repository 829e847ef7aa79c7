//! KVM's half of a machine, put together in the order that costs least: memory slots before interrupt controller and
//! vCPUs. Each change of slots waits until no vCPU or interrupt path can still see the old ones, and while there is
//! none there is nothing to wait for.

use devices::GuestMemory;
use devices::virtio::mmio::RegisterPages;
use kvm_ioctls::VcpuFd;

use crate::kvm::{self, KvmError, Vm};
use crate::native::{self, CpuStart, InterruptController, layout};

/// A VM with memory, interrupt controller and vCPUs, and no devices yet.
pub struct Assembled {
    /// The VM, which the others belong to.
    pub vm: Vm,
    /// Its vCPUs.
    pub vcpus: Vec<VcpuFd>,
    /// What its interrupt lines lead to.
    pub interrupt_controller: InterruptController,
}

/// A VM with this memory, these registers of its virtio devices, and `vcpus` vCPUs, of which the first starts at `start`.
pub fn assemble(
    memory: GuestMemory,
    registers: &RegisterPages,
    vcpus: u32,
    start: &CpuStart,
) -> Result<Assembled, KvmError> {
    let kvm = kvm::open()?;
    let mut vm = Vm::new(native::create(&kvm, &memory)?, memory)?;
    if native::SHOWS_REGISTERS {
        vm.show(&kvm, layout::VIRTIO_MMIO, registers)?;
    }
    let (vcpus, interrupt_controller) = native::processors(&kvm, vm.fd(), vcpus, start)?;
    Ok(Assembled { vm, vcpus, interrupt_controller })
}
