//! From the plain structs of `arch` to KVM's, and into a vCPU.

use arch::x86_64::cpuid::CpuidEntry;
use arch::x86_64::gdt::Segment;
use arch::x86_64::regs::{CpuStart, TableRegister};
use arch::x86_64::{cpuid, lapic, msrs};
use kvm_bindings::{
    CpuId, KVM_MAX_CPUID_ENTRIES, Msrs, kvm_cpuid_entry2, kvm_dtable, kvm_msr_entry, kvm_regs,
    kvm_segment,
};
use kvm_ioctls::{Kvm, VcpuFd, VmFd};

use crate::kvm::{KvmError, create_vcpu};

/// Makes all vCPUs: the first starts at `start`, the others wait for its start-up interrupt.
pub(super) fn create(
    kvm: &Kvm,
    vm: &VmFd,
    count: u32,
    start: &CpuStart,
) -> Result<Vec<VcpuFd>, KvmError> {
    let supported = supported_cpuid(kvm)?;
    let msrs = boot_msrs();
    (0..count)
        .map(|index| {
            let vcpu = create_vcpu(vm, index)?;
            let mut entries = supported.clone();
            cpuid::filter(&mut entries, index, count, tsc_khz(&vcpu));
            set_cpuid(&vcpu, &entries)?;
            set_msrs(&vcpu, &msrs)?;
            set_lapic(&vcpu)?;
            if index == 0 {
                set_registers(&vcpu, start)?;
            }
            Ok(vcpu)
        })
        .collect()
}

/// The rate of a new vCPU's time stamp counter in kHz, where KVM knows it.
///
/// It is set first, to 0 for the host's own: a KVM that was loaded before its kernel had measured the counter to the end
/// gives vCPUs the first measure. If that was too low by more than 0.025 % and the processor can't scale, KVM takes
/// the guest's counter to stand still, and the guest's timers never fire (linux/arch/x86/kvm/x86.c, `set_tsc_khz` and
/// `kvm_arch_vcpu_create`, which passes over the error).
fn tsc_khz(vcpu: &VcpuFd) -> Option<u32> {
    // A host whose counter is of no use refuses, and its guests do without as well.
    let _ = vcpu.set_tsc_khz(0);
    vcpu.get_tsc_khz().ok().filter(|khz| *khz > 0)
}

fn supported_cpuid(kvm: &Kvm) -> Result<Vec<CpuidEntry>, KvmError> {
    let entries = kvm
        .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
        .map_err(KvmError::call("KVM_GET_SUPPORTED_CPUID"))?;
    Ok(entries.as_slice().iter().map(from_kvm).collect())
}

fn from_kvm(entry: &kvm_cpuid_entry2) -> CpuidEntry {
    CpuidEntry {
        function: entry.function,
        index: entry.index,
        flags: entry.flags,
        eax: entry.eax,
        ebx: entry.ebx,
        ecx: entry.ecx,
        edx: entry.edx,
    }
}

fn to_kvm(entry: &CpuidEntry) -> kvm_cpuid_entry2 {
    kvm_cpuid_entry2 {
        function: entry.function,
        index: entry.index,
        flags: entry.flags,
        eax: entry.eax,
        ebx: entry.ebx,
        ecx: entry.ecx,
        edx: entry.edx,
        padding: [0; 3],
    }
}

fn set_cpuid(vcpu: &VcpuFd, entries: &[CpuidEntry]) -> Result<(), KvmError> {
    let entries: Vec<_> = entries.iter().map(to_kvm).collect();
    let too_many = |_| KvmError::call("KVM_SET_CPUID2")(std::io::ErrorKind::InvalidInput);
    let entries = CpuId::from_entries(&entries).map_err(too_many)?;
    vcpu.set_cpuid2(&entries).map_err(KvmError::call("KVM_SET_CPUID2"))
}

fn boot_msrs() -> Vec<kvm_msr_entry> {
    msrs::boot_msrs()
        .iter()
        .map(|msr| kvm_msr_entry { index: msr.index, data: msr.value, ..Default::default() })
        .collect()
}

fn set_msrs(vcpu: &VcpuFd, entries: &[kvm_msr_entry]) -> Result<(), KvmError> {
    let call = "KVM_SET_MSRS";
    let too_many = |_| KvmError::call(call)(std::io::ErrorKind::InvalidInput);
    let list = Msrs::from_entries(entries).map_err(too_many)?;
    let set = vcpu.set_msrs(&list).map_err(KvmError::call(call))?;
    // KVM stops at the first register that it refuses.
    match entries.get(set) {
        None => Ok(()),
        Some(refused) => {
            let register = format!("MSR {:#x}", refused.index);
            Err(KvmError::Register { register, value: refused.data })
        }
    }
}

fn set_lapic(vcpu: &VcpuFd) -> Result<(), KvmError> {
    let mut state = vcpu.get_lapic().map_err(KvmError::call("KVM_GET_LAPIC"))?;
    for register in lapic::BOOT {
        let bytes = register.value.to_le_bytes();
        let place = &mut state.regs[register.offset..register.offset + bytes.len()];
        for (to, from) in place.iter_mut().zip(bytes) {
            *to = from as _;
        }
    }
    vcpu.set_lapic(&state).map_err(KvmError::call("KVM_SET_LAPIC"))
}

fn set_registers(vcpu: &VcpuFd, start: &CpuStart) -> Result<(), KvmError> {
    // What we have no opinion on (the APIC base, for one) stays as KVM made it.
    let mut special = vcpu.get_sregs().map_err(KvmError::call("KVM_GET_SREGS"))?;
    let data = segment(&start.data);
    special.cs = segment(&start.code);
    (special.ds, special.es, special.fs, special.gs, special.ss) = (data, data, data, data, data);
    special.tr = segment(&start.task);
    special.gdt = table(&start.gdt);
    special.idt = table(&start.idt);
    special.cr0 = start.cr0;
    special.cr3 = start.cr3;
    special.cr4 = start.cr4;
    special.efer = start.efer;
    vcpu.set_sregs(&special).map_err(KvmError::call("KVM_SET_SREGS"))?;
    let general = kvm_regs {
        rip: start.general.rip,
        rflags: start.general.rflags,
        rsp: start.general.rsp,
        rbp: start.general.rbp,
        rbx: start.general.rbx,
        rsi: start.general.rsi,
        ..Default::default()
    };
    vcpu.set_regs(&general).map_err(KvmError::call("KVM_SET_REGS"))
}

fn segment(segment: &Segment) -> kvm_segment {
    kvm_segment {
        base: segment.base,
        limit: segment.limit,
        selector: segment.selector,
        type_: segment.kind,
        present: 1,
        dpl: 0,
        db: segment.db.into(),
        s: segment.code_or_data.into(),
        l: segment.long.into(),
        g: segment.granularity.into(),
        avl: 0,
        unusable: 0,
        padding: 0,
    }
}

fn table(register: &TableRegister) -> kvm_dtable {
    kvm_dtable { base: register.base, limit: register.limit, padding: [0; 3] }
}
