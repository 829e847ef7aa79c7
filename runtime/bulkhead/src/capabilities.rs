//! `--cap-add` and `--cap-drop`: capabilities (capabilities(7)) as bits, bit n for number n.

/// Names by number, linux/capability.h.
const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// All of them.
pub const ALL: u64 = (1 << NAMES.len()) - 1;

/// The 14 of docker's and containerd's default set (`oci.defaultUnixCaps`).
const DEFAULT: u64 = 0xa804_25fb;

/// The bit of a name, in either case, with or without `CAP_`; all bits for `ALL`.
pub fn parse_capability(text: &str) -> Result<u64, String> {
    let upper = text.to_ascii_uppercase();
    if upper == "ALL" {
        return Ok(ALL);
    }
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    let number = NAMES.iter().position(|other| *other == name);
    let wrong = || {
        let text = text.escape_debug();
        format!(
            "'{text}' is not a capability: give ALL, or a name as in capabilities(7), like NET_ADMIN"
        )
    };
    number.map(|number| 1 << number).ok_or_else(wrong)
}

/// What is left of the default set, and what is added. As in docker, what is added wins, but for `ALL`, from which single ones can be dropped.
pub fn allowed(added: &[u64], dropped: &[u64]) -> u64 {
    let all = |sets: &[u64]| sets.iter().fold(0, |all, set| all | set);
    let (added, dropped) = (all(added), all(dropped));
    if added == ALL { ALL & !dropped } else { DEFAULT & !dropped | added }
}

/// What was added to the default set, and what was taken away, as docker shows them.
pub fn changes(allowed: u64) -> (Vec<String>, Vec<String>) {
    let names = |bits: u64| -> Vec<String> {
        let held = (0..NAMES.len()).filter(|number| bits >> number & 1 == 1);
        held.map(|number| format!("CAP_{}", NAMES[number])).collect()
    };
    let all = || vec!["ALL".to_owned()];
    match allowed {
        0 => (Vec::new(), all()),
        ALL => (all(), Vec::new()),
        _ => (names(allowed & !DEFAULT), names(DEFAULT & !allowed)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(added: &[&str], dropped: &[&str]) -> u64 {
        let sets = |names: &[&str]| -> Vec<u64> {
            names.iter().map(|name| parse_capability(name).unwrap()).collect()
        };
        allowed(&sets(added), &sets(dropped))
    }

    #[test]
    fn names_are_those_of_the_manual() {
        assert_eq!(parse_capability("CAP_CHOWN"), Ok(1));
        assert_eq!(parse_capability("net_admin"), Ok(1 << 12));
        assert_eq!(parse_capability("cap_checkpoint_restore"), Ok(1 << 40));
        assert_eq!(parse_capability("all"), Ok((1 << 41) - 1));
        for wrong in ["", "CAP_", "CAP_ALL", "CAP_CAP_CHOWN", "ADMIN", "0", "CHOWN,KILL"] {
            let error = parse_capability(wrong).unwrap_err();
            assert!(error.starts_with(&format!("'{wrong}' is not a capability")), "{error}");
        }
    }

    #[test]
    fn flags_change_the_default_as_in_docker() {
        assert_eq!(of(&[], &[]), 0xa804_25fb);
        assert_eq!(of(&[], &["ALL"]), 0);
        assert_eq!(of(&["NET_ADMIN"], &["ALL"]), 1 << 12);
        assert_eq!(of(&["NET_ADMIN"], &["CHOWN", "NET_ADMIN"]), 0xa804_35fa);
        assert_eq!(of(&["ALL"], &["SYS_ADMIN", "KILL"]), ALL & !(1 << 21 | 1 << 5));
        assert_eq!(of(&["ALL"], &[]), ALL);
    }

    #[test]
    fn changes_are_shown_as_docker_does() {
        let shown = |added: &[&str], dropped: &[&str]| {
            let (added, dropped) = changes(of(added, dropped));
            (added.join(" "), dropped.join(" "))
        };
        let expected = |added: &str, dropped: &str| (added.to_owned(), dropped.to_owned());
        assert_eq!(shown(&[], &[]), expected("", ""));
        assert_eq!(shown(&["net_admin"], &["KILL"]), expected("CAP_NET_ADMIN", "CAP_KILL"));
        assert_eq!(shown(&["ALL"], &[]), expected("ALL", ""));
        assert_eq!(shown(&[], &["all"]), expected("", "ALL"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_a_name_or_refused(text in ".*") {
            if let Ok(bits) = parse_capability(&text) {
                prop_assert!(bits == ALL || bits.count_ones() == 1);
            }
        }

        #[test]
        fn each_name_is_its_bit(number in 0..NAMES.len(), prefix: bool, lower: bool) {
            let text = format!("{}{}", if prefix { "CAP_" } else { "" }, NAMES[number]);
            let text = if lower { text.to_lowercase() } else { text };
            prop_assert_eq!(parse_capability(&text), Ok(1 << number));
        }
    }
}
