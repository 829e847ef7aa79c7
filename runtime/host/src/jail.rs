//! What this machine has for the jail of a VM, as `bulkhead-vmm --probe-jail` finds by trying.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::kvm::ProbeError;

/// The jail of a VM that this user starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jail {
    /// With all that belongs to it.
    Complete,
    /// Without something.
    Incomplete {
        /// Without what, and why.
        lack: String,
        /// What would allow it.
        remedy: String,
    },
}

impl Jail {
    /// Asks the VMM at `vmm`.
    pub fn probe(vmm: &Path) -> Result<Jail, ProbeError> {
        let output = Command::new(vmm)
            .arg("--probe-jail")
            .stdin(Stdio::null())
            .output()
            .map_err(|source| ProbeError::Start { path: vmm.to_owned(), source })?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        Jail::parse(&answer).ok_or_else(|| ProbeError::Answer { path: vmm.to_owned(), answer })
    }

    fn parse(output: &str) -> Option<Jail> {
        let answer = output.trim_end().strip_prefix("jail: ")?;
        if answer == "complete" {
            return Some(Jail::Complete);
        }
        let lacks = answer.strip_prefix("incomplete: ")?;
        let (lack, remedy) = lacks.split_once(": what allows it is ")?;
        Some(Jail::Incomplete { lack: lack.to_owned(), remedy: remedy.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_answers_are_understood_and_no_other() {
        assert_eq!(Jail::parse("jail: complete\n"), Some(Jail::Complete));
        let lack = "no namespaces (Operation not permitted)";
        let incomplete = Jail::Incomplete { lack: lack.into(), remedy: "a: b".into() };
        let line = format!("jail: incomplete: {lack}: what allows it is a: b\n");
        assert_eq!(Jail::parse(&line), Some(incomplete));
        for other in ["", "jail: ", "kvm: linux", "jail: incomplete: x", "complete"] {
            assert_eq!(Jail::parse(other), None, "{other}");
        }
    }
}
