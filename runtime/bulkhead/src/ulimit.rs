//! `--ulimit NAME=SOFT[:HARD]`.

use protocol::Limit;

/// docker's names; the numbers are those of asm-generic/resource.h.
const NAMES: [(&str, u8); 15] = [
    ("core", 4),
    ("cpu", 0),
    ("data", 2),
    ("fsize", 1),
    ("locks", 10),
    ("memlock", 8),
    ("msgqueue", 12),
    ("nice", 13),
    ("nofile", 7),
    ("nproc", 6),
    ("rss", 5),
    ("rtprio", 14),
    ("rttime", 15),
    ("sigpending", 11),
    ("stack", 3),
];

/// What docker calls a resource.
pub fn name(resource: u8) -> &'static str {
    NAMES.iter().find(|(_, number)| *number == resource).map_or("", |(name, _)| name)
}

/// A limit. Without a hard limit, the soft one is also that.
pub fn parse_ulimit(text: &str) -> Result<Limit, String> {
    let shown = text.escape_debug();
    let (name, limits) = text.split_once('=').ok_or_else(|| {
        format!("'{shown}' is not a limit: give NAME=SOFT or NAME=SOFT:HARD, like nofile=1024:4096")
    })?;
    let &(_, resource) = NAMES.iter().find(|(known, _)| *known == name).ok_or_else(|| {
        let names = NAMES.map(|(name, _)| name).join(", ");
        format!("'{}' has no limit: give one of {names}", name.escape_debug())
    })?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let (soft, hard) = (number(soft)?, number(hard)?);
    // Nothing is above "unlimited".
    if hard.is_some_and(|hard| soft.is_none_or(|soft| soft > hard)) {
        return Err(format!("'{shown}': the soft limit is above the hard limit"));
    }
    Ok(Limit { resource, soft, hard })
}

fn number(text: &str) -> Result<Option<u64>, String> {
    if text == "-1" || text == "unlimited" {
        return Ok(None);
    }
    // `parse` takes a plus sign as well.
    let number = text.parse().ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit()));
    let wrong = || {
        let text = text.escape_debug();
        format!("'{text}' is not a limit: give a number, or -1 for no limit")
    };
    number.map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn limits_are_written_as_in_docker() {
        let limit = |resource, soft, hard| Ok(Limit { resource, soft, hard });
        assert_eq!(parse_ulimit("nofile=1024:4096"), limit(7, Some(1024), Some(4096)));
        assert_eq!(parse_ulimit("nproc=64"), limit(6, Some(64), Some(64)));
        assert_eq!(parse_ulimit("core=0:-1"), limit(4, Some(0), None));
        assert_eq!(parse_ulimit("memlock=unlimited"), limit(8, None, None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, message) in [
            ("", "'' is not a limit: give NAME=SOFT"),
            ("nofile", "'nofile' is not a limit: give NAME=SOFT"),
            ("files=1", "'files' has no limit: give one of core, cpu,"),
            ("=1", "'' has no limit"),
            ("nofile=", "'' is not a limit: give a number"),
            ("nofile=1:", "'' is not a limit: give a number"),
            ("nofile=+1", "'+1' is not a limit"),
            ("nofile=-2", "'-2' is not a limit"),
            ("nofile=1:2:3", "'2:3' is not a limit"),
            ("nofile=18446744073709551616", "'18446744073709551616' is not a limit"),
            ("nofile=2:1", "'nofile=2:1': the soft limit is above"),
            ("nofile=-1:1", "'nofile=-1:1': the soft limit is above"),
        ] {
            let error = parse_ulimit(text).unwrap_err();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_a_sound_limit_or_refused(text in "(nofile|core|.*)=?[-0-9:]*.*") {
            if let Ok(limit) = parse_ulimit(&text) {
                prop_assert!(limit.soft.unwrap_or(u64::MAX) <= limit.hard.unwrap_or(u64::MAX));
            }
        }

        #[test]
        fn what_is_written_is_read(index in 0..NAMES.len(), one: Option<u64>, two: Option<u64>) {
            let number = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
            let (soft, hard) = if number(one) <= number(two) { (one, two) } else { (two, one) };
            let (name, resource) = NAMES[index];
            let show = |limit: Option<u64>| limit.map_or("-1".to_owned(), |n| n.to_string());
            let text = format!("{name}={}:{}", show(soft), show(hard));
            prop_assert_eq!(parse_ulimit(&text), Ok(Limit { resource, soft, hard }));
        }
    }
}
