//! A vCPU's state.

use arch::x86_64::cpuid::CpuidEntry;
use arch::x86_64::msrs::{self, MTRRS, TIME_STAMP_COUNTER, TSC_DEADLINE};
use kvm_bindings::KVM_MAX_CPUID_ENTRIES;
use kvm_bindings::{
    Msrs, kvm_debugregs, kvm_lapic_state, kvm_mp_state, kvm_msr_entry, kvm_regs, kvm_sregs,
    kvm_vcpu_events, kvm_xcrs, kvm_xsave,
};
use kvm_ioctls::{Kvm, VcpuFd};
use serde::{Deserialize, Serialize};

use crate::kvm::KvmError;
use crate::native::vcpu::{from_kvm, set_cpuid, set_msrs, tsc_khz};
use crate::snapshot::Raw;

/// The state.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VcpuState {
    /// Whether it runs, is halted, or waits for its start-up interrupt.
    mp_state: u32,
    regs: Raw<kvm_regs>,
    sregs: Raw<kvm_sregs>,
    /// The region of `struct kvm_xsave`.
    xsave: Raw<[u32; 1024]>,
    xcrs: Raw<kvm_xcrs>,
    debug_registers: Raw<kvm_debugregs>,
    lapic: Raw<kvm_lapic_state>,
    /// The rate of its time stamp counter, where KVM knows it.
    tsc_khz: Option<u32>,
    /// Function, index, flags, EAX, EBX, ECX, EDX.
    cpuid: Vec<[u32; 7]>,
    /// Index and value, in the order in which they are to be set.
    msrs: Vec<(u32, u64)>,
    /// Exceptions and interrupts on their way.
    events: Raw<kvm_vcpu_events>,
}

/// By how much a rate may be another: KVM takes less for the same (`tsc_tolerance_ppm` in linux/arch/x86/kvm/x86.c).
const TSC_TOLERANCE_PPM: u64 = 250;

/// The registers that are asked for: what this KVM has of those that a guest keeps something in, the deadline last.
pub(super) fn saved_msrs(kvm: &Kvm) -> Result<Vec<u32>, KvmError> {
    let list = kvm.get_msr_index_list().map_err(KvmError::call("KVM_GET_MSR_INDEX_LIST"))?;
    let mut indexes: Vec<u32> =
        list.as_slice().iter().copied().filter(|index| msrs::is_saved(*index)).collect();
    indexes.extend(MTRRS.iter().flat_map(|(first, last)| *first..=*last));
    indexes.sort_by_key(|index| (*index == TSC_DEADLINE, *index));
    indexes.dedup();
    Ok(indexes)
}

impl VcpuState {
    /// Of a vCPU that is held. The order is KVM's: to ask whether it runs carries out what its local APIC was asked for;
    /// to ask for its registers completes what the emulator has begun; exceptions on their way come last, since any of the
    /// others may change them (Documentation/virt/kvm/api.rst, and what Firecracker learned).
    pub(super) fn save(vcpu: &VcpuFd, msrs: &[u32]) -> Result<VcpuState, KvmError> {
        let state = vcpu.get_mp_state().map_err(KvmError::call("KVM_GET_MP_STATE"))?;
        Ok(VcpuState {
            mp_state: state.mp_state,
            regs: Raw(vcpu.get_regs().map_err(KvmError::call("KVM_GET_REGS"))?),
            sregs: Raw(vcpu.get_sregs().map_err(KvmError::call("KVM_GET_SREGS"))?),
            // It is refused where a guest has more: only what a program asks for explicitly (arch_prctl(2)), and this does not.
            xsave: Raw(vcpu.get_xsave().map_err(KvmError::call("KVM_GET_XSAVE"))?.region),
            xcrs: Raw(vcpu.get_xcrs().map_err(KvmError::call("KVM_GET_XCRS"))?),
            debug_registers: Raw(vcpu
                .get_debug_regs()
                .map_err(KvmError::call("KVM_GET_DEBUGREGS"))?),
            lapic: Raw(vcpu.get_lapic().map_err(KvmError::call("KVM_GET_LAPIC"))?),
            tsc_khz: vcpu.get_tsc_khz().ok().filter(|khz| *khz > 0),
            cpuid: cpuid(vcpu)?,
            msrs: get_msrs(vcpu, msrs)?,
            events: Raw(vcpu.get_vcpu_events().map_err(KvmError::call("KVM_GET_VCPU_EVENTS"))?),
        })
    }

    /// Into a vCPU that has not run. Each of these relies on those before: what a register may hold depends on CPUID, the
    /// local APIC's place on SREGS, its timer on the time stamp counter; and to set the registers clears exceptions.
    pub(super) fn restore(&self, vcpu: &VcpuFd) -> Result<(), KvmError> {
        self.set_tsc_khz(vcpu)?;
        set_cpuid(vcpu, &self.cpuid.iter().map(entry).collect::<Vec<_>>())?;
        let state = kvm_mp_state { mp_state: self.mp_state };
        vcpu.set_mp_state(state).map_err(KvmError::call("KVM_SET_MP_STATE"))?;
        vcpu.set_regs(&self.regs.0).map_err(KvmError::call("KVM_SET_REGS"))?;
        vcpu.set_sregs(&self.sregs.0).map_err(KvmError::call("KVM_SET_SREGS"))?;
        let xsave = kvm_xsave { region: self.xsave.0, ..Default::default() };
        // SAFETY: KVM reads 4,096 bytes, as this program has not asked for a larger state (arch_prctl(2)).
        unsafe { vcpu.set_xsave(&xsave) }.map_err(KvmError::call("KVM_SET_XSAVE"))?;
        vcpu.set_xcrs(&self.xcrs.0).map_err(KvmError::call("KVM_SET_XCRS"))?;
        let debug_registers = &self.debug_registers.0;
        vcpu.set_debug_regs(debug_registers).map_err(KvmError::call("KVM_SET_DEBUGREGS"))?;
        vcpu.set_lapic(&self.lapic.0).map_err(KvmError::call("KVM_SET_LAPIC"))?;
        self.set_msrs(vcpu)?;
        vcpu.set_vcpu_events(&self.events.0).map_err(KvmError::call("KVM_SET_VCPU_EVENTS"))?;
        // Tells a guest with kvmclock that it has stood still, for its watchdogs; others have nothing to be told.
        let _ = vcpu.kvmclock_ctrl();
        Ok(())
    }

    fn set_tsc_khz(&self, vcpu: &VcpuFd) -> Result<(), KvmError> {
        let here = tsc_khz(vcpu);
        let Some(saved) = self.tsc_khz else { return Ok(()) };
        let near = here.is_some_and(|here| {
            u64::from(saved.abs_diff(here)) * 1_000_000 <= u64::from(saved) * TSC_TOLERANCE_PPM
        });
        if near {
            return Ok(());
        }
        vcpu.set_tsc_khz(saved)
            .map_err(KvmError::call("KVM_SET_TSC_KHZ, to another rate than the host's"))
    }

    /// The deadline of a timer that has run out is 0, although its interrupt may not have come to the guest yet: it comes
    /// once more, at the time at which the vCPU was saved. An interrupt too many does no harm, and one too few stops the guest.
    fn set_msrs(&self, vcpu: &VcpuFd) -> Result<(), KvmError> {
        let value = |wanted| self.msrs.iter().find(|(index, _)| *index == wanted).map(|msr| msr.1);
        let now = value(TIME_STAMP_COUNTER).unwrap_or(0);
        let entry = |&(index, data): &(u32, u64)| {
            let data = if index == TSC_DEADLINE && data == 0 { now } else { data };
            kvm_msr_entry { index, data, ..Default::default() }
        };
        let mut entries: Vec<_> = self.msrs.iter().map(entry).collect();
        // The file may have them in any order.
        entries.sort_by_key(|msr| msr.index == TSC_DEADLINE);
        for chunk in entries.chunks(MOST_AT_ONCE) {
            set_those_that_differ(vcpu, chunk)?;
        }
        Ok(())
    }
}

/// `KVM_GET_MSRS` and `KVM_SET_MSRS` take no more at once (`MAX_IO_MSRS` in linux/arch/x86/kvm/x86.c).
const MOST_AT_ONCE: usize = 256;

/// KVM refuses to have some registers written, even with the value that they have (0x10A on some hosts).
fn set_those_that_differ(vcpu: &VcpuFd, mut entries: &[kvm_msr_entry]) -> Result<(), KvmError> {
    while let Err(error) = set_msrs(vcpu, entries) {
        let KvmError::Register { index, .. } = error else { return Err(error) };
        let refused = entries
            .get(index)
            .ok_or_else(|| KvmError::call("KVM_SET_MSRS")(std::io::ErrorKind::InvalidData))?;
        let here = get_msrs(vcpu, &[refused.index])?;
        if here != [(refused.index, refused.data)] {
            return Err(error);
        }
        entries = &entries[index + 1..];
    }
    Ok(())
}

/// Those that this vCPU has.
fn get_msrs(vcpu: &VcpuFd, mut indexes: &[u32]) -> Result<Vec<(u32, u64)>, KvmError> {
    let call = "KVM_GET_MSRS";
    let mut found = Vec::with_capacity(indexes.len());
    while !indexes.is_empty() {
        let chunk = &indexes[..indexes.len().min(MOST_AT_ONCE)];
        let entry = |index: &u32| kvm_msr_entry { index: *index, ..Default::default() };
        let entries: Vec<_> = chunk.iter().map(entry).collect();
        let too_many = |_| KvmError::call(call)(std::io::ErrorKind::InvalidInput);
        let mut list = Msrs::from_entries(&entries).map_err(too_many)?;
        let count = vcpu.get_msrs(&mut list).map_err(KvmError::call(call))?;
        found.extend(list.as_slice()[..count].iter().map(|msr| (msr.index, msr.data)));
        // KVM stops at the first that the vCPU has not got.
        indexes = &indexes[if count < chunk.len() { count + 1 } else { count }..];
    }
    Ok(found)
}

fn cpuid(vcpu: &VcpuFd) -> Result<Vec<[u32; 7]>, KvmError> {
    let list = vcpu.get_cpuid2(KVM_MAX_CPUID_ENTRIES).map_err(KvmError::call("KVM_GET_CPUID2"))?;
    let words = |entry: &CpuidEntry| {
        let CpuidEntry { function, index, flags, eax, ebx, ecx, edx } = *entry;
        [function, index, flags, eax, ebx, ecx, edx]
    };
    Ok(list.as_slice().iter().map(|entry| words(&from_kvm(entry))).collect())
}

fn entry(words: &[u32; 7]) -> CpuidEntry {
    let [function, index, flags, eax, ebx, ecx, edx] = *words;
    CpuidEntry { function, index, flags, eax, ebx, ecx, edx }
}
