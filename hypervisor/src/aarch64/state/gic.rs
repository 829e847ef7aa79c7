//! The interrupt controller's state: registers that KVM reads and writes for user space without what they do to a guest
//! (Documentation/virt/kvm/devices/arm-vgic.rst and arm-vgic-v3.rst). Into a new one only what sets something is written:
//! there is nothing to clear. There are no message-signalled interrupts, and no tables of theirs.

use arch::aarch64::gic::{FIRST_SPI, Gic, NR_IRQS};
use kvm_bindings::{
    KVM_DEV_ARM_VGIC_GRP_CPU_REGS, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS,
    KVM_DEV_ARM_VGIC_GRP_DIST_REGS, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS,
    KVM_DEV_ARM_VGIC_V3_MPIDR_SHIFT, kvm_device_attr,
};
use kvm_ioctls::DeviceFd;
use serde::{Deserialize, Serialize};

use super::InterruptController;
use crate::kvm::KvmError;
use crate::snapshot::RestoreError;

/// The state, in the order of the lists below.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GicState {
    /// What all vCPUs share.
    distributor: Vec<u32>,
    vcpus: Vec<PrivateState>,
}

/// What belongs to a vCPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrivateState {
    /// Its private interrupts.
    private: Vec<u32>,
    /// What it masks, and what it is in the middle of.
    interface: Vec<u64>,
}

/// Registers with some bits for each interrupt, in the order in which they are set: offset, and how many bits (Arm IHI 0069
/// §12.8, IHI 0048 §4.3).
const PER_INTERRUPT: [(u64, u64); 6] = [
    (0x080, 1), // IGROUPR
    (0xC00, 2), // ICFGR
    (0x400, 8), // IPRIORITYR
    (0x100, 1), // ISENABLER
    (0x200, 1), // ISPENDR
    (0x300, 1), // ISACTIVER
];
/// CTLR of the distributor and of a redistributor.
const CTLR: u64 = 0;
/// GICv3: STATUSR of both.
const STATUSR: u64 = 0x10;
/// GICv3: WAKER of a redistributor.
const WAKER: u64 = 0x14;
/// GICv3: where a redistributor's private interrupts begin.
const SGI_FRAME: u64 = 0x1_0000;
/// GICv3: 64 bits for each interrupt.
const IROUTER: (u64, u64) = (0x6000, 64);
/// GICv2: 8 bits for each interrupt.
const ITARGETSR: (u64, u64) = (0x800, 8);
/// GICv2: which vCPU has sent which software interrupt, 8 bits for each.
const SPENDSGIR: (u64, u64) = (0xF20, 8);
/// How many of these there are.
const SGIS: u64 = 16;
/// GICv2: CTLR, PMR, BPR, ABPR, APR of the CPU interface (IHI 0048 §4.4).
const INTERFACE_V2: [u64; 5] = [0x00, 0x04, 0x08, 0x1C, 0xD0];
/// GICv3: those of the CPU interface but for the active priorities, as `mrs` knows them: SRE, CTLR, IGRPEN0, IGRPEN1, PMR,
/// BPR0, BPR1 (Arm IHI 0069 §12.2).
const INTERFACE_V3: [u64; 7] = [
    system(12, 12, 5),
    ICC_CTLR,
    system(12, 12, 6),
    system(12, 12, 7),
    system(4, 6, 0),
    system(12, 8, 3),
    system(12, 12, 3),
];
const ICC_CTLR: u64 = system(12, 12, 4);
/// AP0R0 and AP1R0; the next three follow each.
const ACTIVE_PRIORITIES: [u64; 2] = [system(12, 8, 4), system(12, 9, 0)];

/// `KVM_DEV_ARM_VGIC_SYSREG(3, 0, crn, crm, op2)`.
const fn system(crn: u64, crm: u64, op2: u64) -> u64 {
    3 << 14 | crn << 7 | crm << 3 | op2
}

/// The words of a register for these interrupts, by their offsets.
fn words(register: (u64, u64), first: u64, end: u64) -> impl Iterator<Item = u64> {
    let (offset, bits) = register;
    (first * bits / 32..end * bits / 32).map(move |word| offset + 4 * word)
}

fn per_interrupt(first: u64, end: u64) -> impl Iterator<Item = u64> {
    PER_INTERRUPT.into_iter().flat_map(move |register| words(register, first, end))
}

/// What all vCPUs share.
fn distributor(gic: Gic) -> Vec<u64> {
    let (first, end) = (FIRST_SPI.into(), NR_IRQS.into());
    let (own, routes) = match gic {
        Gic::V2 => (vec![CTLR], ITARGETSR),
        Gic::V3 => (vec![CTLR, STATUSR], IROUTER),
    };
    own.into_iter().chain(words(routes, first, end)).chain(per_interrupt(first, end)).collect()
}

/// What belongs to a vCPU, and the group that it is in.
fn private(gic: Gic) -> (u32, Vec<u64>) {
    let registers = per_interrupt(0, FIRST_SPI.into());
    match gic {
        Gic::V2 => {
            let sources = words(SPENDSGIR, 0, SGIS);
            (KVM_DEV_ARM_VGIC_GRP_DIST_REGS, registers.chain(sources).collect())
        }
        Gic::V3 => {
            let registers = registers.map(|offset| SGI_FRAME + offset);
            let all = [CTLR, STATUSR, WAKER].into_iter().chain(registers).collect();
            (KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, all)
        }
    }
}

/// The interface's registers. `ctlr` is what a GICv3's says: it has as many registers of active priorities as its bits of
/// priority need.
fn interface(gic: Gic, ctlr: u64) -> (u32, Vec<u64>) {
    match gic {
        Gic::V2 => (KVM_DEV_ARM_VGIC_GRP_CPU_REGS, INTERFACE_V2.into()),
        Gic::V3 => {
            // ICC_CTLR_EL1.PRIbits (Arm IHI 0069 §12.2.4).
            let count = match (ctlr >> 8 & 7) + 1 {
                7.. => 4,
                6 => 2,
                _ => 1,
            };
            let active = ACTIVE_PRIORITIES.into_iter().flat_map(|first| first..first + count);
            (KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, INTERFACE_V3.into_iter().chain(active).collect())
        }
    }
}

/// A vCPU's registers by its number (GICv2) or affinity (GICv3).
fn of_vcpu(gic: Gic, index: usize, affinity: u64) -> u64 {
    // Aff3 follows the others directly (arm-vgic-v3.rst).
    let packed = affinity & 0xFF_FFFF | affinity >> 8 & 0xFF00_0000;
    let place = match gic {
        Gic::V2 => index as u64,
        Gic::V3 => packed,
    };
    place << KVM_DEV_ARM_VGIC_V3_MPIDR_SHIFT
}

impl GicState {
    pub(super) fn save(
        InterruptController { gic, device }: &InterruptController,
        affinities: &[u64],
    ) -> Result<GicState, KvmError> {
        let word = |group, at| get(device, group, at, 0u32);
        let shared = distributor(*gic);
        let shared = shared.iter().map(|at| word(KVM_DEV_ARM_VGIC_GRP_DIST_REGS, *at));
        let part = |(index, affinity): (usize, &u64)| {
            let vcpu = of_vcpu(*gic, index, *affinity);
            let (group, registers) = private(*gic);
            let private =
                registers.iter().map(|at| word(group, vcpu | at)).collect::<Result<_, _>>()?;
            let ctlr = match gic {
                Gic::V2 => 0,
                Gic::V3 => get(device, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, vcpu | ICC_CTLR, 0u64)?,
            };
            let (group, registers) = interface(*gic, ctlr);
            let interface = registers.iter().map(|at| match gic {
                Gic::V2 => word(group, vcpu | at).map(u64::from),
                Gic::V3 => get(device, group, vcpu | at, 0u64),
            });
            Ok(PrivateState { private, interface: interface.collect::<Result<_, _>>()? })
        };
        Ok(GicState {
            distributor: shared.collect::<Result<_, _>>()?,
            vcpus: affinities.iter().enumerate().map(part).collect::<Result<_, KvmError>>()?,
        })
    }

    pub(super) fn restore(
        &self,
        InterruptController { gic, device }: &InterruptController,
        affinities: &[u64],
    ) -> Result<(), RestoreError> {
        let count = |what: &str, saved, here| {
            RestoreError::unless_same(&format!("number of registers of the {what}"), saved, here)
        };
        let registers = distributor(*gic);
        count("distributor", self.distributor.len(), registers.len())?;
        count("vCPUs' interrupts", self.vcpus.len(), affinities.len())?;
        for (at, value) in registers.iter().zip(&self.distributor) {
            set(device, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, *at, value)?;
        }
        for (index, (state, affinity)) in self.vcpus.iter().zip(affinities).enumerate() {
            let vcpu = of_vcpu(*gic, index, *affinity);
            let (group, registers) = private(*gic);
            count("private interrupts", state.private.len(), registers.len())?;
            for (at, value) in registers.iter().zip(&state.private) {
                set(device, group, vcpu | at, value)?;
            }
            let ctlr = INTERFACE_V3.iter().position(|at| *at == ICC_CTLR);
            let ctlr = ctlr.and_then(|at| state.interface.get(at)).copied().unwrap_or(0);
            let (group, registers) = interface(*gic, ctlr);
            count("interrupt interface", state.interface.len(), registers.len())?;
            for (at, value) in registers.iter().zip(&state.interface) {
                match gic {
                    Gic::V2 => set(device, group, vcpu | at, &(*value as u32))?,
                    Gic::V3 => set(device, group, vcpu | at, value)?,
                }
            }
        }
        Ok(())
    }
}

/// Numbers as KVM takes them: 32 bits of a GIC's registers, 64 of a processor's.
trait Number: Copy {}
impl Number for u32 {}
impl Number for u64 {}

/// `value` is as long as the group's registers are.
fn get<T: Number>(device: &DeviceFd, group: u32, attr: u64, mut value: T) -> Result<T, KvmError> {
    let addr = &raw mut value as u64;
    let mut attribute = kvm_device_attr { flags: 0, group, attr, addr };
    // SAFETY: KVM writes a number of this length there.
    unsafe { device.get_device_attr(&mut attribute) }
        .map_err(KvmError::call("KVM_GET_DEVICE_ATTR of the GIC"))?;
    Ok(value)
}

fn set<T: Number>(device: &DeviceFd, group: u32, attr: u64, value: &T) -> Result<(), KvmError> {
    let addr = std::ptr::from_ref(value) as u64;
    let attribute = kvm_device_attr { flags: 0, group, attr, addr };
    device.set_device_attr(&attribute).map_err(KvmError::call("KVM_SET_DEVICE_ATTR of the GIC"))
}
