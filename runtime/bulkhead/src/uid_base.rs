//! `--uid-base`: the numbers of users of which root's VMs get one each.

use crate::error::CommandError;
use containers::vm::user::{FIRST_BASE, LAST_BASE, right};

/// The first of them. They are neither people's nor services', and each is a user's.
pub fn parse_uid_base(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (FIRST_BASE..=LAST_BASE).contains(number));
    number.ok_or_else(|| format!("give a number from {FIRST_BASE} to {LAST_BASE}"))
}

/// Whether whoever asks for it may give VMs users.
pub fn check_right(base: u32) -> Result<(), CommandError> {
    right(base).map_err(|why| CommandError::Usage(format!("--uid-base {base}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_above_those_of_people_and_services() {
        assert_eq!(parse_uid_base("65536"), Ok(65_536));
        assert_eq!(parse_uid_base("4294901759"), Ok(u32::MAX - 65_536));
        for wrong in ["0", "1000", "65535", "4294901760", "-1", "0x10000", "root", ""] {
            let why = parse_uid_base(wrong).unwrap_err();
            assert_eq!(why, "give a number from 65536 to 4294901759");
        }
    }
}
