//! What this machine's KVM can run, as `bulkhead-vmm --probe` finds by trying.

use std::path::Path;
use std::process::Command;

use crate::error::Error;
use crate::tool;

/// The abilities of a `/dev/kvm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kvm {
    /// Linux guests, at full speed.
    Linux,
    /// The bare guest only, and why.
    Bare(String),
    /// None at all, and why.
    None(String),
}

impl Kvm {
    /// Asks `vmm`.
    pub fn probe(vmm: &Path) -> Result<Kvm, Error> {
        let output = tool::run("trying KVM", Command::new(vmm).arg("--probe"))?;
        Kvm::parse(&output)
            .ok_or_else(|| Error::Content(format!("{} --probe said {output:?}", vmm.display())))
    }

    fn parse(output: &str) -> Option<Kvm> {
        let answer = output.trim_end().strip_prefix("kvm: ")?;
        match answer.split_once(": ") {
            None if answer == "linux" => Some(Kvm::Linux),
            Some(("bare", reason)) => Some(Kvm::Bare(reason.to_owned())),
            Some(("none", reason)) => Some(Kvm::None(reason.to_owned())),
            _ => None,
        }
    }

    /// Why it can't run Linux; `None` when it can.
    pub fn obstacle(&self) -> Option<&str> {
        match self {
            Kvm::Linux => None,
            Kvm::Bare(reason) | Kvm::None(reason) => Some(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_answers_are_understood_and_no_other() {
        assert_eq!(Kvm::parse("kvm: linux\n"), Some(Kvm::Linux));
        assert_eq!(Kvm::parse("kvm: bare: a: b\n"), Some(Kvm::Bare("a: b".into())));
        assert_eq!(Kvm::parse("kvm: none: why\n").unwrap().obstacle(), Some("why"));
        for other in ["", "kvm: ", "kvm: bare", "kvm: linux: x", "linux"] {
            assert_eq!(Kvm::parse(other), None, "{other}");
        }
    }
}
