//! The process that a container is.

use serde::{Deserialize, Serialize};

use crate::ByteString;

/// What to run inside the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// The command, looked up in the image's PATH unless it has a slash, and its arguments. At least one.
    pub args: Vec<ByteString>,
    /// `NAME=value`; the later of two wins. The guest adds PATH, HOME and HOSTNAME where they are missing.
    pub env: Vec<ByteString>,
    /// Working directory, absolute; the first process's is created when the image lacks it.
    pub cwd: ByteString,
    /// `user`, `user:group`, `uid`, `uid:gid`; empty is root. Names are those of the image's own files.
    pub user: ByteString,
    /// The capabilities that it may have (capabilities(7)), bit n for number n. A user other than root has them only
    /// as a bound.
    pub capabilities: u64,
    /// Resource limits, besides the usual ones.
    pub limits: Vec<Limit>,
    /// Whether set-user-ID programs and file capabilities give it nothing (PR_SET_NO_NEW_PRIVS, prctl(2)).
    pub no_new_privileges: bool,
    /// Whether system calls that no container needs are refused (docker's default profile).
    pub seccomp: bool,
}

/// A resource limit, getrlimit(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// `RLIMIT_*`, by its number in asm-generic/resource.h, which both architectures use.
    pub resource: u8,
    /// The limit in force; nothing is "unlimited".
    pub soft: Option<u64>,
    /// How far a process may raise it.
    pub hard: Option<u64>,
}

/// A terminal's size in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct TerminalSize {
    pub rows: u16,
    pub columns: u16,
}

/// RLIM_NLIMITS, asm-generic/resource.h.
const LIMITS: u8 = 16;

/// What is wrong with a [`Process`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// Nothing to run.
    #[error("args: empty; the image or the command line must name a command")]
    NoCommand,
    /// An empty command name.
    #[error("args: the command is an empty string")]
    EmptyCommand,
    /// execve(2) takes strings that end at the first NUL.
    #[error("{field}: \"{value}\" holds a NUL byte")]
    Nul {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: ByteString,
    },
    /// Not `NAME=value`.
    #[error("env: \"{0}\" is not of the form NAME=value")]
    NotAssignment(ByteString),
    /// A path that depends on where one stands.
    #[error("cwd: \"{0}\" is not absolute (it must start with /)")]
    RelativeCwd(ByteString),
    /// sethostname(2) takes 1 to 64 bytes.
    #[error("hostname: \"{0}\" must have 1 to 64 bytes, none of them NUL")]
    Hostname(ByteString),
    /// A path that depends on where one stands, or ends in its middle.
    #[error("tmpfs: \"{0}\" is not an absolute path (it must start with /)")]
    TmpfsPath(ByteString),
    /// More than permissions.
    #[error("tmpfs: {path}: mode {mode:o} is not a mode (0 to 7777)")]
    TmpfsMode {
        /// Which.
        path: ByteString,
        /// Its value.
        mode: u32,
    },
    /// More than a message takes.
    #[error("tmpfs: all of them take {0} bytes: at most {most} may", most = crate::setup::MAX_LENGTH)]
    TmpfsLength(usize),
    /// Not a resource.
    #[error("limits: there is no resource number {0} (0 to {most})", most = LIMITS - 1)]
    Resource(u8),
    /// setrlimit(2) refuses it.
    #[error("limits: resource {0}: its soft limit is above its hard limit")]
    SoftAboveHard(u8),
}

/// The greatest limit is "unlimited".
fn number(limit: Option<u64>) -> u64 {
    limit.unwrap_or(u64::MAX)
}

impl Process {
    /// Looks at every field. The host checks what it sends; the guest checks what it got.
    pub fn check(&self) -> Result<(), ProcessError> {
        match self.args.first() {
            None => return Err(ProcessError::NoCommand),
            Some(command) if command.as_bytes().is_empty() => {
                return Err(ProcessError::EmptyCommand);
            }
            Some(_) => {}
        }
        let strings = (self.args.iter().map(|arg| ("args", arg)))
            .chain(self.env.iter().map(|variable| ("env", variable)))
            .chain([("cwd", &self.cwd), ("user", &self.user)]);
        for (field, value) in strings {
            if value.as_bytes().contains(&0) {
                return Err(ProcessError::Nul { field, value: value.clone() });
            }
        }
        for variable in &self.env {
            if !variable.as_bytes().iter().skip(1).any(|&b| b == b'=')
                || variable.as_bytes()[0] == b'='
            {
                return Err(ProcessError::NotAssignment(variable.clone()));
            }
        }
        if !self.cwd.as_bytes().starts_with(b"/") {
            return Err(ProcessError::RelativeCwd(self.cwd.clone()));
        }
        for limit in &self.limits {
            if limit.resource >= LIMITS {
                return Err(ProcessError::Resource(limit.resource));
            }
            if number(limit.soft) > number(limit.hard) {
                return Err(ProcessError::SoftAboveHard(limit.resource));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell() -> Process {
        Process {
            args: vec!["sh".into()],
            env: vec!["A=".into(), "B=c=d".into()],
            cwd: "/".into(),
            user: "".into(),
            capabilities: 0,
            limits: vec![Limit { resource: 7, soft: Some(1024), hard: None }],
            no_new_privileges: false,
            seccomp: true,
        }
    }

    #[test]
    fn each_field_is_looked_at() {
        assert_eq!(shell().check(), Ok(()));
        let refused = |change: fn(&mut Process)| {
            let mut process = shell();
            change(&mut process);
            process.check().unwrap_err().to_string()
        };
        assert!(refused(|p| p.args.clear()).starts_with("args: empty"));
        assert!(refused(|p| p.args[0] = "".into()).starts_with("args:"));
        assert_eq!(refused(|p| p.args.push("a\0b".into())), "args: \"a\\u{0}b\" holds a NUL byte");
        assert!(refused(|p| p.user = "\0".into()).starts_with("user:"));
        for variable in ["", "A", "=b", "="] {
            let mut process = shell();
            process.env.push(variable.into());
            assert_eq!(process.check(), Err(ProcessError::NotAssignment(variable.into())));
        }
        assert!(refused(|p| p.cwd = "srv".into()).starts_with("cwd:"));
        assert!(refused(|p| p.cwd = "".into()).starts_with("cwd:"));
        assert!(refused(|p| p.limits[0].resource = 16).contains("16"));
        assert!(refused(|p| p.limits[0].hard = Some(1023)).contains("soft"));
    }
}
