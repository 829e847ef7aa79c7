//! One virtual machine, set up in the order that costs least: memory slots before interrupt
//! controller and vCPUs. Each change of slots waits until no vCPU or interrupt path can still
//! see the old ones, and while there is none there is nothing to wait for.

use devices::GuestMemory;
use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use vm_memory::{Address, GuestMemoryBackend, GuestMemoryRegion};

use super::KvmError;
use crate::native::{self, CpuStart, InterruptController};

/// The only KVM API version there has ever been (Documentation/virt/kvm/api.rst §4.1).
const API_VERSION: i32 = 12;

/// A virtual machine with its memory and interrupt controller.
pub struct Vm {
    pub(super) fd: VmFd,
    /// Mapped into the VM, so it lives at least as long.
    memory: GuestMemory,
    interrupt_controller: InterruptController,
}

impl Vm {
    /// A machine with this memory and `vcpus` vCPUs, of which the first starts at `start`.
    pub fn new(
        memory: GuestMemory,
        vcpus: u32,
        start: &CpuStart,
    ) -> Result<(Vm, Vec<VcpuFd>), KvmError> {
        let kvm = open()?;
        let fd = native::create(&kvm, &memory)?;
        for (slot, region) in memory.iter().enumerate() {
            let slot = kvm_userspace_memory_region {
                slot: slot as u32,
                flags: 0,
                guest_phys_addr: region.start_addr().raw_value(),
                memory_size: region.len(),
                userspace_addr: region.as_ptr() as u64,
            };
            // SAFETY: the region is memory that `memory` owns and `Vm` keeps until after the VM is
            // gone; this process reaches it only through volatile accesses.
            unsafe { fd.set_user_memory_region(slot) }
                .map_err(KvmError::call("KVM_SET_USER_MEMORY_REGION"))?;
        }
        let (vcpus, interrupt_controller) = native::processors(&kvm, &fd, vcpus, start)?;
        Ok((Vm { fd, memory, interrupt_controller }, vcpus))
    }

    /// The machine's memory.
    pub fn memory(&self) -> &GuestMemory {
        &self.memory
    }

    /// The machine's interrupt controller.
    pub fn interrupt_controller(&self) -> InterruptController {
        self.interrupt_controller
    }
}

/// Opens `/dev/kvm`.
fn open() -> Result<Kvm, KvmError> {
    let kvm = Kvm::new().map_err(|error| match error.errno() {
        libc::ENOENT | libc::ENXIO | libc::ENODEV => KvmError::Missing,
        libc::EACCES | libc::EPERM => KvmError::Permission,
        _ => KvmError::Open(error.into()),
    })?;
    if kvm.get_api_version() != API_VERSION {
        return Err(KvmError::Open(std::io::ErrorKind::Unsupported.into()));
    }
    Ok(kvm)
}

/// `KVM_CREATE_VM`, again if a signal came in between.
pub(crate) fn create_vm(kvm: &Kvm, machine_type: u64) -> Result<VmFd, KvmError> {
    loop {
        match kvm.create_vm_with_type(machine_type) {
            Err(error) if error.errno() == libc::EINTR => {}
            result => return result.map_err(KvmError::call("KVM_CREATE_VM")),
        }
    }
}

/// Makes vCPU `index`.
pub(crate) fn create_vcpu(vm: &VmFd, index: u32) -> Result<VcpuFd, KvmError> {
    vm.create_vcpu(index.into()).map_err(KvmError::call("KVM_CREATE_VCPU"))
}
