//! The interrupt controller that KVM emulates (Linux Documentation/virt/kvm/devices/arm-vgic.rst and arm-vgic-v3.rst).
//!
//! What KVM does with an irqfd is left as it is: GSI n is shared peripheral interrupt n.

use arch::aarch64::gic::{GICC, GICD, GICR, Gic, NR_IRQS};
use kvm_bindings::{
    KVM_DEV_ARM_VGIC_CTRL_INIT, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_DEV_ARM_VGIC_GRP_CTRL,
    KVM_DEV_ARM_VGIC_GRP_NR_IRQS, KVM_VGIC_V2_ADDR_TYPE_CPU, KVM_VGIC_V2_ADDR_TYPE_DIST,
    KVM_VGIC_V3_ADDR_TYPE_DIST, KVM_VGIC_V3_ADDR_TYPE_REDIST, kvm_create_device, kvm_device_attr,
    kvm_device_type, kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V2,
    kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V3,
};
use kvm_ioctls::{DeviceFd, VmFd};

use crate::kvm::KvmError;

/// Makes a GICv3 or, on a host that has none, a GICv2. The VM keeps it when the descriptor is closed.
pub fn create(vm: &VmFd) -> Result<(Gic, DeviceFd), KvmError> {
    match device(vm, kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V3) {
        Ok(device) => Ok((Gic::V3, device)),
        Err(error) if error.errno() == libc::ENODEV => {
            device(vm, kvm_device_type_KVM_DEV_TYPE_ARM_VGIC_V2)
                .map(|device| (Gic::V2, device))
                .map_err(KvmError::call("KVM_CREATE_DEVICE of a GICv3 and a GICv2"))
        }
        Err(error) => Err(KvmError::call("KVM_CREATE_DEVICE of a GICv3")(error)),
    }
}

/// Once all vCPUs are there: puts its parts to their addresses, and brings it to life.
pub fn complete(gic: Gic, device: &DeviceFd) -> Result<(), KvmError> {
    let parts = match gic {
        Gic::V2 => [(KVM_VGIC_V2_ADDR_TYPE_DIST, GICD), (KVM_VGIC_V2_ADDR_TYPE_CPU, GICC)],
        Gic::V3 => [(KVM_VGIC_V3_ADDR_TYPE_DIST, GICD), (KVM_VGIC_V3_ADDR_TYPE_REDIST, GICR)],
    };
    for (part, address) in parts {
        place(device, part, address)?;
    }
    let count = NR_IRQS;
    set(device, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &raw const count as u64)
        .map_err(KvmError::call("KVM_SET_DEVICE_ATTR of the GIC's number of interrupts"))?;
    set(device, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, 0)
        .map_err(KvmError::call("KVM_SET_DEVICE_ATTR that initializes the GIC"))
}

fn device(vm: &VmFd, kind: kvm_device_type) -> Result<DeviceFd, kvm_ioctls::Error> {
    vm.create_device(&mut kvm_create_device { type_: kind, fd: 0, flags: 0 })
}

fn place(device: &DeviceFd, part: u32, address: u64) -> Result<(), KvmError> {
    set(device, KVM_DEV_ARM_VGIC_GRP_ADDR, part, &raw const address as u64)
        .map_err(KvmError::call("KVM_SET_DEVICE_ATTR of a GIC address"))
}

/// `value` is the address of the value, if the attribute has one.
fn set(device: &DeviceFd, group: u32, attribute: u32, value: u64) -> Result<(), kvm_ioctls::Error> {
    device.set_device_attr(&kvm_device_attr {
        flags: 0,
        group,
        attr: attribute.into(),
        addr: value,
    })
}
