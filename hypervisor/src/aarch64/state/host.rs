//! The host that a machine was saved on: another one must have all that it had. The processor itself is compared by the
//! registers that identify it, when they are restored.

use arch::aarch64::gic::Gic;
use kvm_ioctls::{Cap, VmFd};
use serde::{Deserialize, Serialize};

use crate::snapshot::{RestoreError, shown};

/// What a guest may have come to rely on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    architecture: String,
    /// The interrupt controller's kind: the states of the two have nothing in common.
    gic: String,
    /// What KVM can do, by name: 0 for nothing.
    kvm: Vec<(String, u32)>,
}

/// What a vCPU may be made with.
const NEEDED: [(&str, Cap); 4] = [
    ("KVM_CAP_ARM_PSCI_0_2", Cap::ArmPsci02),
    ("KVM_CAP_ARM_SVE", Cap::ArmSve),
    ("KVM_CAP_ARM_PTRAUTH_ADDRESS", Cap::ArmPtrAuthAddress),
    ("KVM_CAP_ARM_PTRAUTH_GENERIC", Cap::ArmPtrAuthGeneric),
];

impl Host {
    /// This one.
    pub fn new(vm: &VmFd, gic: Gic) -> Host {
        // A capability that KVM does not know is 0, and no error.
        let value = |cap| vm.check_extension_int(cap).max(0).cast_unsigned();
        Host {
            architecture: "aarch64".to_owned(),
            gic: gic.to_string(),
            kvm: NEEDED.map(|(name, cap)| (name.to_owned(), value(cap))).into(),
        }
    }

    /// Whether a machine that was saved on `saved` can go on here.
    pub fn check(&self, saved: &Host) -> Result<(), RestoreError> {
        let same = |what, saved: &str, here: &str| {
            RestoreError::unless_same(what, saved.to_owned(), here.to_owned())
        };
        same("architecture", &saved.architecture, &self.architecture)?;
        same("interrupt controller", &saved.gic, &self.gic)?;
        for (name, value) in &saved.kvm {
            let here =
                self.kvm.iter().find(|(known, _)| known == name).map_or(0, |(_, here)| *here);
            if value & !here != 0 {
                return Err(RestoreError::Differs {
                    what: shown(name),
                    saved: value.to_string(),
                    here: here.to_string(),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_can_do_all_and_more_is_taken_and_another_refused_by_name() {
        let host = || Host {
            architecture: "aarch64".to_owned(),
            gic: "GICv3".to_owned(),
            kvm: vec![("KVM_CAP_ARM_SVE".to_owned(), 1)],
        };
        let better = Host { kvm: vec![("KVM_CAP_ARM_SVE".to_owned(), 3)], ..host() };
        better.check(&host()).unwrap();
        for (here, words) in [
            (Host { architecture: "x86_64".to_owned(), ..host() }, "architecture: was aarch64"),
            (Host { gic: "GICv2".to_owned(), ..host() }, "controller: was GICv3"),
            (Host { kvm: vec![], ..host() }, "KVM_CAP_ARM_SVE: was 1"),
        ] {
            let text = here.check(&host()).unwrap_err().to_string();
            assert!(text.contains(words) && !text.contains('\n'), "{text}");
        }
    }
}
