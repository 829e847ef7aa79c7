//! What this machine's KVM can run, as `bulkhead-vmm --probe` finds by trying.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use thiserror::Error;

/// The abilities of a `/dev/kvm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kvm {
    /// Linux guests, at full speed.
    Linux,
    /// Perhaps Linux guests, but too slowly, and how that shows.
    Slow(String),
    /// Small guests of our own only, and why.
    Bare(String),
    /// None at all, and why.
    None(String),
}

/// Why that is not known.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum ProbeError {
    #[error("{path}: cannot start it")]
    Start { path: PathBuf, source: io::Error },
    #[error("{path} said {answer:?} when it was asked")]
    Answer { path: PathBuf, answer: String },
}

impl Kvm {
    /// Asks the VMM at `vmm`.
    pub fn probe(vmm: &Path) -> Result<Kvm, ProbeError> {
        let output = Command::new(vmm)
            .arg("--probe")
            .stdin(Stdio::null())
            .output()
            .map_err(|source| ProbeError::Start { path: vmm.to_owned(), source })?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        Kvm::parse(&answer).ok_or_else(|| ProbeError::Answer { path: vmm.to_owned(), answer })
    }

    fn parse(output: &str) -> Option<Kvm> {
        let answer = output.trim_end().strip_prefix("kvm: ")?;
        match answer.split_once(": ") {
            None if answer == "linux" => Some(Kvm::Linux),
            Some(("slow", reason)) => Some(Kvm::Slow(reason.to_owned())),
            Some(("bare", reason)) => Some(Kvm::Bare(reason.to_owned())),
            Some(("none", reason)) => Some(Kvm::None(reason.to_owned())),
            _ => None,
        }
    }

    /// Why it can't run Linux, at least not well; `None` when it can.
    pub fn obstacle(&self) -> Option<&str> {
        match self {
            Kvm::Linux => None,
            Kvm::Slow(reason) | Kvm::Bare(reason) | Kvm::None(reason) => Some(reason),
        }
    }

    /// Why it can't run Linux however long one waits.
    pub fn lack(&self) -> Option<&str> {
        if let Kvm::Slow(_) = self { None } else { self.obstacle() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_answers_are_understood_and_no_other() {
        assert_eq!(Kvm::parse("kvm: linux\n"), Some(Kvm::Linux));
        let slow = Kvm::parse("kvm: slow: the loop\n").unwrap();
        assert_eq!((slow.obstacle(), slow.lack()), (Some("the loop"), None));
        assert_eq!(Kvm::parse("kvm: bare: a: b\n"), Some(Kvm::Bare("a: b".into())));
        assert_eq!(Kvm::parse("kvm: none: why\n").unwrap().lack(), Some("why"));
        for other in ["", "kvm: ", "kvm: bare", "kvm: linux: x", "linux"] {
            assert_eq!(Kvm::parse(other), None, "{other}");
        }
    }
}
