//! What the main thread of a VM that has a control socket may ask for besides: to hold the guest, and to save it.

use super::event_loop::TUNSETOFFLOAD;
use super::table::Condition::{Aarch64, Is, X86_64};
use super::table::{ANY, Call};
use super::vcpu::{KVM_GET_ONE_REG, KVM_GET_REGS};

/// linux/kvm.h: `_IOR(KVMIO, 0x98, struct kvm_mp_state)`.
pub const KVM_GET_MP_STATE: u32 = 0x8004_ae98;
/// linux/kvm.h: `_IOR(KVMIO, 0x83, struct kvm_sregs)`.
pub const KVM_GET_SREGS: u32 = 0x8138_ae83;
/// linux/kvm.h: `_IOR(KVMIO, 0xa4, struct kvm_xsave)`.
pub const KVM_GET_XSAVE: u32 = 0x9000_aea4;
/// linux/kvm.h: `_IOR(KVMIO, 0xa6, struct kvm_xcrs)`.
pub const KVM_GET_XCRS: u32 = 0x8188_aea6;
/// linux/kvm.h: `_IOR(KVMIO, 0xa1, struct kvm_debugregs)`.
pub const KVM_GET_DEBUGREGS: u32 = 0x8080_aea1;
/// linux/kvm.h: `_IOR(KVMIO, 0x8e, struct kvm_lapic_state)`.
pub const KVM_GET_LAPIC: u32 = 0x8400_ae8e;
/// linux/kvm.h: `_IO(KVMIO, 0xa3)`.
pub const KVM_GET_TSC_KHZ: u32 = 0xaea3;
/// linux/kvm.h: `_IOWR(KVMIO, 0x91, struct kvm_cpuid2)`.
pub const KVM_GET_CPUID2: u32 = 0xc008_ae91;
/// linux/kvm.h: `_IOWR(KVMIO, 0x88, struct kvm_msrs)`.
pub const KVM_GET_MSRS: u32 = 0xc008_ae88;
/// linux/kvm.h: `_IOR(KVMIO, 0x9f, struct kvm_vcpu_events)`.
pub const KVM_GET_VCPU_EVENTS: u32 = 0x8040_ae9f;
/// linux/kvm.h: `_IOR(KVMIO, 0x7c, struct kvm_clock_data)`.
pub const KVM_GET_CLOCK: u32 = 0x8030_ae7c;
/// linux/kvm.h: `_IOWR(KVMIO, 0x62, struct kvm_irqchip)`.
pub const KVM_GET_IRQCHIP: u32 = 0xc208_ae62;

/// linux/kvm.h: `_IOWR(KVMIO, 0xb0, struct kvm_reg_list)`.
pub const KVM_GET_REG_LIST: u32 = 0xc008_aeb0;
/// linux/kvm.h: `_IOW(KVMIO, 0xe2, struct kvm_device_attr)`.
pub const KVM_GET_DEVICE_ATTR: u32 = 0x4018_aee2;

/// The calls. One that the event loop's table has too stands here in its place.
pub const CONTROL: &[Call] = &[
    Call {
        name: "ioctl",
        rules: &[
            &[Is(1, TUNSETOFFLOAD)],
            &[Is(1, KVM_GET_MP_STATE)],
            &[X86_64, Is(1, KVM_GET_REGS)],
            &[X86_64, Is(1, KVM_GET_SREGS)],
            &[X86_64, Is(1, KVM_GET_XSAVE)],
            &[X86_64, Is(1, KVM_GET_XCRS)],
            &[X86_64, Is(1, KVM_GET_DEBUGREGS)],
            &[X86_64, Is(1, KVM_GET_LAPIC)],
            &[X86_64, Is(1, KVM_GET_TSC_KHZ)],
            &[X86_64, Is(1, KVM_GET_CPUID2)],
            &[X86_64, Is(1, KVM_GET_MSRS)],
            &[X86_64, Is(1, KVM_GET_VCPU_EVENTS)],
            &[X86_64, Is(1, KVM_GET_CLOCK)],
            &[X86_64, Is(1, KVM_GET_IRQCHIP)],
            &[Aarch64, Is(1, KVM_GET_REG_LIST)],
            &[Aarch64, Is(1, KVM_GET_ONE_REG)],
            &[Aarch64, Is(1, KVM_GET_DEVICE_ATTR)],
        ],
        reason: "the event loop's; reads the state of the VM and of vCPUs that are held",
    },
    Call { name: "recvmsg", rules: ANY, reason: "a request, with the files to save to" },
    Call { name: "fstat", rules: ANY, reason: "a snapshot is written to an empty file only" },
    Call { name: "ftruncate", rules: ANY, reason: "the length of a snapshot's memory" },
    Call { name: "pwrite64", rules: ANY, reason: "writes a snapshot" },
];
