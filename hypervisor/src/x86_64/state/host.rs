//! The host that a machine was saved on: another one must have all that it had.

use std::arch::x86_64::{__cpuid, __cpuid_count, CpuidResult};

use kvm_ioctls::{Cap, VmFd};
use serde::{Deserialize, Serialize};

use crate::snapshot::{RestoreError, shown};

/// What a guest may have come to rely on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    architecture: String,
    /// As CPUID leaf 0 spells it.
    vendor: String,
    /// Family and model, as CPUID leaf 1 has them in EAX; the stepping is left out.
    model: u32,
    /// Words of feature bits, in the order of [`features`].
    features: Vec<u32>,
    /// KVM's, by name: 0 for none.
    kvm: Vec<(String, u32)>,
}

/// The lowest four bits of CPUID.1:EAX.
const STEPPING: u32 = 0xF;

/// What a saved state needs in KVM.
const NEEDED: [(&str, Cap); 8] = [
    ("KVM_CAP_XSAVE", Cap::Xsave),
    ("KVM_CAP_XCRS", Cap::Xcrs),
    ("KVM_CAP_DEBUGREGS", Cap::Debugregs),
    ("KVM_CAP_VCPU_EVENTS", Cap::VcpuEvents),
    ("KVM_CAP_MP_STATE", Cap::MpState),
    ("KVM_CAP_TSC_DEADLINE_TIMER", Cap::TscDeadlineTimer),
    ("KVM_CAP_ADJUST_CLOCK", Cap::AdjustClock),
    ("KVM_CAP_GET_TSC_KHZ", Cap::GetTscKhz),
];

impl Host {
    /// This one.
    pub fn new(vm: &VmFd) -> Host {
        let leaf = __cpuid(0);
        let vendor = [leaf.ebx, leaf.edx, leaf.ecx].map(u32::to_le_bytes).concat();
        // A capability that KVM does not know is 0, and no error.
        let value = |cap| vm.check_extension_int(cap).max(0).cast_unsigned();
        Host {
            architecture: "x86_64".to_owned(),
            vendor: String::from_utf8_lossy(&vendor).into_owned(),
            model: __cpuid(1).eax & !STEPPING,
            features: features(leaf.eax),
            kvm: NEEDED.map(|(name, cap)| (name.to_owned(), value(cap))).into(),
        }
    }

    /// Whether a machine that was saved on `saved` can go on here.
    pub fn check(&self, saved: &Host) -> Result<(), RestoreError> {
        let (was, is) = (saved.architecture.clone(), self.architecture.clone());
        RestoreError::unless_same("architecture", was, is)?;
        RestoreError::unless_same("processor's vendor", saved.vendor.clone(), self.vendor.clone())?;
        let model = |host: &Host| format!("{:#x}", host.model);
        RestoreError::unless_same("processor's model", model(saved), model(self))?;
        let differs = |what: &str, saved: &[u32], here: &[u32]| RestoreError::Differs {
            what: shown(what),
            saved: format!("{saved:x?}"),
            here: format!("{here:x?}"),
        };
        if !has_all(&saved.features, &self.features) {
            return Err(differs("processor's features", &saved.features, &self.features));
        }
        for (name, value) in &saved.kvm {
            let here =
                self.kvm.iter().find(|(known, _)| known == name).map_or(0, |(_, here)| *here);
            if !has_all(&[*value], &[here]) {
                return Err(differs(name, &[*value], &[here]));
            }
        }
        Ok(())
    }
}

/// Whether each bit of one list is in the other.
fn has_all(saved: &[u32], here: &[u32]) -> bool {
    saved.len() == here.len() && saved.iter().zip(here).all(|(saved, here)| saved & !here == 0)
}

/// Words of CPUID in which each bit is something that a processor can do (Intel SDM 2A, CPUID; AMD APM 3 Appendix E), of one
/// whose highest basic leaf this is.
fn features(highest: u32) -> Vec<u32> {
    let none = CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    let leaf = |number, index| {
        if highest < number { none } else { __cpuid_count(number, index) }
    };
    let (basic, more, state) = (leaf(1, 0), leaf(7, 0), leaf(0xD, 1));
    let extended = match __cpuid(0x8000_0000).eax {
        0x8000_0001.. => __cpuid(0x8000_0001),
        _ => none,
    };
    let (basic, more) = ([basic.ecx, basic.edx], [more.ebx, more.ecx, more.edx]);
    [&basic[..], &more, &[state.eax], &[extended.ecx, extended.edx]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Host {
        Host {
            architecture: "x86_64".to_owned(),
            vendor: "GenuineIntel".to_owned(),
            model: 0x906E0,
            features: vec![0b110, 0],
            kvm: vec![("KVM_CAP_XSAVE".to_owned(), 1), ("KVM_CAP_ADJUST_CLOCK".to_owned(), 0b110)],
        }
    }

    #[test]
    fn a_host_that_can_do_all_and_more_is_taken_and_another_refused_by_name() {
        let better = Host { features: vec![0b1110, 1], ..host() };
        better.check(&host()).unwrap();
        let refused = |here: Host| here.check(&host()).unwrap_err().to_string();
        for (here, words) in [
            (Host { architecture: "aarch64".to_owned(), ..host() }, "architecture: was x86_64"),
            (Host { vendor: "AuthenticAMD".to_owned(), ..host() }, "is AuthenticAMD here"),
            (Host { model: 0x906D0, ..host() }, "model: was 0x906e0"),
            (Host { features: vec![0b100, 0], ..host() }, "processor's features: was [6, 0]"),
            (Host { features: vec![], ..host() }, "processor's features"),
            (Host { kvm: vec![("KVM_CAP_XSAVE".to_owned(), 1)], ..host() }, "KVM_CAP_ADJUST_CLOCK"),
        ] {
            let text = refused(here);
            assert!(text.contains(words) && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn this_host_has_features() {
        let words = features(__cpuid(0).eax);
        assert_eq!(words.len(), 8);
        // SSE2, which every x86_64 has (CPUID.1:EDX[26]).
        assert_ne!(words[1] & 1 << 26, 0);
    }
}
