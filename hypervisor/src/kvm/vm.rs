//! A virtual machine and what it is made of, one verb of KVM's each. Whoever calls them knows the order.

use devices::GuestMemory;
use devices::virtio::mmio::RegisterPages;
use kvm_bindings::{KVM_MEM_READONLY, kvm_userspace_memory_region};
use kvm_ioctls::{Cap, Kvm, VcpuFd, VmFd};
use vm_memory::{Address, GuestMemoryBackend, GuestMemoryRegion};

use super::KvmError;

/// The only KVM API version there has ever been (Documentation/virt/kvm/api.rst §4.1).
const API_VERSION: i32 = 12;

/// A virtual machine with its memory.
pub struct Vm {
    pub(super) fd: VmFd,
    /// Mapped into the VM, so it lives at least as long.
    memory: GuestMemory,
    /// Likewise.
    shown: Option<RegisterPages>,
}

impl Vm {
    /// Gives a machine that has no memory this one (`KVM_SET_USER_MEMORY_REGION`).
    pub fn new(fd: VmFd, memory: GuestMemory) -> Result<Vm, KvmError> {
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
        Ok(Vm { fd, memory, shown: None })
    }

    /// Has the guest read these pages at `base`, and what it writes there come as an exit, where KVM can do that
    /// (Documentation/virt/kvm/api.rst §4.35, KVM_MEM_READONLY). Where it can't, each read is an exit too.
    pub fn show(&mut self, kvm: &Kvm, base: u64, pages: &RegisterPages) -> Result<(), KvmError> {
        if pages.is_empty() || !kvm.check_extension(Cap::ReadonlyMem) {
            return Ok(());
        }
        let slot = kvm_userspace_memory_region {
            slot: self.memory.num_regions() as u32,
            flags: KVM_MEM_READONLY,
            guest_phys_addr: base,
            memory_size: pages.len() as u64,
            userspace_addr: pages.address() as u64,
        };
        // SAFETY: these are whole pages with nothing else in them, which `Vm` keeps until after the VM is gone; the guest only
        // reads them, and this process writes to them by atomic accesses only.
        unsafe { self.fd.set_user_memory_region(slot) }
            .map_err(KvmError::call("KVM_SET_USER_MEMORY_REGION"))?;
        self.shown = Some(pages.clone());
        Ok(())
    }

    /// KVM's descriptor of it.
    pub(crate) fn fd(&self) -> &VmFd {
        &self.fd
    }

    /// The machine's memory.
    pub fn memory(&self) -> &GuestMemory {
        &self.memory
    }
}

/// Opens `/dev/kvm`.
pub(crate) fn open() -> Result<Kvm, KvmError> {
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
