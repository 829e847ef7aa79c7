//! `--security-opt`.

use crate::switches::parse_switch;

/// One of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityOption {
    /// Whether set-user-ID programs and file capabilities give nothing.
    NoNewPrivileges(bool),
    /// Whether the default profile refuses system calls.
    Seccomp(bool),
    /// What is so anyway: the guest's kernel has neither AppArmor nor SELinux.
    AsItIs,
}

/// What docker takes, as far as there is a meaning for it here.
pub fn parse_security_option(text: &str) -> Result<SecurityOption, String> {
    let (name, value) = text.split_once(['=', ':']).unwrap_or((text, ""));
    let shown = text.escape_debug();
    match (name, value) {
        ("no-new-privileges", "") => Ok(SecurityOption::NoNewPrivileges(true)),
        ("no-new-privileges", value) if let Ok(value) = parse_switch(value) => {
            Ok(SecurityOption::NoNewPrivileges(value))
        }
        ("apparmor", "unconfined") | ("label", "disable") => Ok(SecurityOption::AsItIs),
        ("seccomp", "unconfined") => Ok(SecurityOption::Seccomp(false)),
        ("seccomp", "builtin") => Ok(SecurityOption::Seccomp(true)),
        ("seccomp", _) => Err(format!(
            "'{shown}': profiles of one's own are not supported: give seccomp=unconfined, or nothing for the default profile"
        )),
        _ => {
            Err(format!("'{shown}' is not supported: give no-new-privileges or seccomp=unconfined"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_docker_s_or_refused_by_name() {
        use SecurityOption::{AsItIs, NoNewPrivileges, Seccomp};
        for (text, option) in [
            ("no-new-privileges", NoNewPrivileges(true)),
            ("no-new-privileges:true", NoNewPrivileges(true)),
            ("no-new-privileges=false", NoNewPrivileges(false)),
            ("seccomp=unconfined", Seccomp(false)),
            ("seccomp=builtin", Seccomp(true)),
            ("no-new-privileges=1", NoNewPrivileges(true)),
            ("apparmor=unconfined", AsItIs),
            ("label=disable", AsItIs),
            ("label:disable", AsItIs),
        ] {
            assert_eq!(parse_security_option(text), Ok(option), "{text}");
        }
        for (text, message) in [
            ("", "'' is not supported: give"),
            ("no-new-privileges=yes", "'no-new-privileges=yes' is not supported: give"),
            ("apparmor=mine", "'apparmor=mine' is not supported: give"),
            ("seccomp=profile.json", "'seccomp=profile.json': profiles of one's own"),
            ("seccomp", "'seccomp': profiles of one's own"),
        ] {
            let error = parse_security_option(text).unwrap_err();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }
}
