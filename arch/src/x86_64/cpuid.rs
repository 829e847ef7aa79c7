//! CPUID as the guest sees it: what the host's KVM supports, with the guest's own topology, and
//! without what this machine does not have.
//!
//! Leaves that are not named here pass through: feature bits, caches' sizes, XSAVE areas, the brand
//! string, KVM's own leaves at 0x4000_0000 (kvmclock spares the guest any calibration of its clocks).

mod features;
#[cfg(test)]
mod tests;
mod topology;

/// One leaf, or one subleaf of a leaf, as KVM takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the registers are named as everywhere")]
pub struct CpuidEntry {
    /// EAX at the call.
    pub function: u32,
    /// ECX at the call, where it matters.
    pub index: u32,
    /// [`SIGNIFICANT_INDEX`] where `index` matters.
    pub flags: u32,
    pub eax: u32,
    pub ebx: u32,
    pub ecx: u32,
    pub edx: u32,
}

/// `KVM_CPUID_FLAG_SIGNIFCANT_INDEX` (Documentation/virt/kvm/api.rst §4.20).
pub const SIGNIFICANT_INDEX: u32 = 1;

/// Who made the CPU: the vendors number topology differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vendor {
    Intel,
    /// AMD, and Hygon who builds on it.
    Amd,
    Other,
}

impl Vendor {
    /// From leaf 0: twelve letters in EBX, EDX, ECX.
    fn of(entries: &[CpuidEntry]) -> Vendor {
        let Some(leaf) = entries.iter().find(|entry| entry.function == 0) else {
            return Vendor::Other;
        };
        let name = [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes).concat();
        match &name[..] {
            b"GenuineIntel" => Vendor::Intel,
            b"AuthenticAMD" | b"HygonGenuine" => Vendor::Amd,
            _ => Vendor::Other,
        }
    }
}

/// Turns what KVM supports into what vCPU `vcpu` of `cpus` shows. `tsc_khz` is the rate of its time
/// stamp counter, if that is known and constant.
///
/// The guest sees one package with `cpus` cores of one thread each; a vCPU's APIC ID is its number.
pub fn filter(entries: &mut Vec<CpuidEntry>, vcpu: u32, cpus: u32, tsc_khz: Option<u32>) {
    let vendor = Vendor::of(entries);
    features::set(entries, vendor, tsc_khz);
    topology::set(entries, vendor, vcpu, cpus);
}

/// The highest leaf of the range that starts at `base` (0, 0x4000_0000, 0x8000_0000).
fn highest(entries: &[CpuidEntry], base: u32) -> u32 {
    entries.iter().find(|entry| entry.function == base).map_or(0, |entry| entry.eax)
}

/// Replaces every subleaf of `function` by these.
fn replace(entries: &mut Vec<CpuidEntry>, function: u32, subleaves: &[CpuidEntry]) {
    entries.retain(|entry| entry.function != function);
    entries.extend_from_slice(subleaves);
}
