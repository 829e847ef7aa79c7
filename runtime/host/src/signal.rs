//! Signals by name and number, as people write them.

/// The signals of signal(7) by number from 1 on, on both architectures that there are.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// Other names of some, signal(7), "Signal numbering for standard signals".
const SYNONYMS: [(&str, &str); 3] = [("CLD", "CHLD"), ("IOT", "ABRT"), ("POLL", "IO")];

/// The first and the last real-time signal of Linux' libraries, signal(7).
const RTMIN: u8 = 34;
const RTMAX: u8 = 64;

/// The number of `TERM`, `SIGTERM`, `sigterm`, `15` or `RTMIN+3`.
pub fn parse(text: &str) -> Result<u8, String> {
    let wrong = || {
        format!(
            "'{}' is no signal: give a name, as in TERM or SIGTERM, or a number from 1 to {RTMAX}",
            text.escape_debug()
        )
    };
    if let Ok(number) = text.parse() {
        return if (1..=RTMAX).contains(&number) { Ok(number) } else { Err(wrong()) };
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let synonym = SYNONYMS.iter().find(|(synonym, _)| *synonym == name);
    let name = synonym.map_or(name, |(_, name)| name);
    if let Some(index) = NAMES.iter().position(|&known| known == name) {
        return Ok(index as u8 + 1);
    }
    let offset = |rest: &str, sign: char| match rest {
        "" => Some(0),
        rest => rest.strip_prefix(sign).and_then(|digits| digits.parse::<u8>().ok()),
    };
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(rest), _) => offset(rest, '+').and_then(|offset| RTMIN.checked_add(offset)),
        (_, Some(rest)) => offset(rest, '-').and_then(|offset| RTMAX.checked_sub(offset)),
        _ => None,
    };
    number.filter(|number| (RTMIN..=RTMAX).contains(number)).ok_or_else(wrong)
}

/// What a signal is called, `SIGTERM` or `SIGRTMIN+3`, as [`parse`] reads it.
pub fn name(number: u8) -> String {
    match usize::from(number).checked_sub(1).and_then(|index| NAMES.get(index)) {
        Some(name) => format!("SIG{name}"),
        None if number == RTMIN => "SIGRTMIN".to_owned(),
        None if number > RTMIN => format!("SIGRTMIN+{}", number - RTMIN),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_way_to_write_a_signal_is_understood() {
        for (text, number) in [
            ("TERM", libc::SIGTERM),
            ("SIGKILL", libc::SIGKILL),
            ("sigusr2", libc::SIGUSR2),
            ("sys", libc::SIGSYS),
            ("winch", libc::SIGWINCH),
            ("POLL", libc::SIGPOLL),
            ("SIGCLD", libc::SIGCHLD),
            ("iot", libc::SIGIOT),
            ("9", 9),
            ("64", 64),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("rtmax-1", 63),
        ] {
            assert_eq!(parse(text), Ok(number as u8), "{text}");
        }
        for text in ["", "0", "65", "SIG", "TERMS", "RTMIN+31", "RTMAX-31", "RTMIN-1", "-9"] {
            assert!(parse(text).unwrap_err().starts_with(&format!("'{text}' is no signal")));
        }
    }

    #[test]
    fn each_signal_has_a_name() {
        assert_eq!(
            [15, 34, 37, 64].map(name),
            ["SIGTERM", "SIGRTMIN", "SIGRTMIN+3", "SIGRTMIN+30"]
        );
        for number in 1..=RTMAX {
            assert_eq!(parse(&name(number)), Ok(number));
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_a_signal_or_a_reason(text: String) {
            prop_assert!(parse(&text).is_ok_and(|number| (1..=RTMAX).contains(&number)) || parse(&text).is_err());
        }
    }
}
