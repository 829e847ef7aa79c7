//! Numbers of requests to devices.

use kvm_bindings::{kvm_one_reg, kvm_regs, kvm_translation};

use super::super::control;
use super::super::event_loop::TUNSETOFFLOAD;
use super::super::vcpu::{KVM_GET_ONE_REG, KVM_GET_REGS, KVM_RUN, KVM_TRANSLATE};

/// asm-generic/ioctl.h: direction, size, type and number of a request.
#[test]
fn requests_are_those_of_the_bindings() {
    let request = |direction: u32, size: usize, number| {
        direction << 30 | (size as u32) << 16 | kvm_bindings::KVMIO << 8 | number
    };
    const WRITE: u32 = 1;
    const READ: u32 = 2;
    assert_eq!(TUNSETOFFLOAD, rustix::ioctl::opcode::write::<u32>(b'T', 208));
    assert_eq!(KVM_RUN, request(0, 0, 0x80));
    assert_eq!(KVM_TRANSLATE, request(READ | WRITE, size_of::<kvm_translation>(), 0x85));
    assert_eq!(KVM_GET_ONE_REG, request(WRITE, size_of::<kvm_one_reg>(), 0xab));
    // The structure of another processor has another size, and its kernel no such request.
    if cfg!(target_arch = "x86_64") {
        assert_eq!(KVM_GET_REGS, request(READ, size_of::<kvm_regs>(), 0x81));
    }
    assert_eq!(control::KVM_GET_MP_STATE, request(READ, 4, 0x98));
    assert_eq!(control::KVM_GET_REG_LIST, request(READ | WRITE, 8, 0xb0));
    let size = size_of::<kvm_bindings::kvm_device_attr>();
    assert_eq!(control::KVM_GET_DEVICE_ATTR, request(WRITE, size, 0xe2));
}

/// linux/kvm.h.
#[cfg(target_arch = "x86_64")]
#[test]
fn what_reads_a_vcpu_is_what_the_bindings_have() {
    use super::super::control::*;
    use kvm_bindings::*;
    const READ: u32 = 2;
    const BOTH: u32 = 3;
    for (request, direction, size, number) in [
        (KVM_GET_SREGS, READ, size_of::<kvm_sregs>(), 0x83),
        (KVM_GET_XSAVE, READ, size_of::<kvm_xsave>(), 0xa4),
        (KVM_GET_XCRS, READ, size_of::<kvm_xcrs>(), 0xa6),
        (KVM_GET_DEBUGREGS, READ, size_of::<kvm_debugregs>(), 0xa1),
        (KVM_GET_LAPIC, READ, size_of::<kvm_lapic_state>(), 0x8e),
        (KVM_GET_TSC_KHZ, 0, 0, 0xa3),
        (KVM_GET_CPUID2, BOTH, size_of::<kvm_cpuid2>(), 0x91),
        (KVM_GET_MSRS, BOTH, size_of::<kvm_msrs>(), 0x88),
        (KVM_GET_VCPU_EVENTS, READ, size_of::<kvm_vcpu_events>(), 0x9f),
        (KVM_GET_CLOCK, READ, size_of::<kvm_clock_data>(), 0x7c),
        (KVM_GET_IRQCHIP, BOTH, size_of::<kvm_irqchip>(), 0x62),
    ] {
        assert_eq!(request, direction << 30 | (size as u32) << 16 | KVMIO << 8 | number);
    }
}
