//! How long a container may take to end.

/// What stands for no limit.
const NO_LIMIT: &str = "-1";

/// Seconds; `-1` is no limit, as in docker, which here are 136 years.
pub fn parse_timeout(text: &str) -> Result<u32, String> {
    match text {
        NO_LIMIT => Ok(u32::MAX),
        text => text.parse().map_err(|_| {
            format!("'{}' is neither a number of seconds nor -1", text.escape_debug())
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_one_is_no_limit() {
        assert_eq!(parse_timeout("0"), Ok(0));
        assert_eq!(parse_timeout("30"), Ok(30));
        assert_eq!(parse_timeout("-1"), Ok(u32::MAX));
        for wrong in ["-2", "1.5", "5s", ""] {
            assert!(parse_timeout(wrong).unwrap_err().contains("number of seconds"), "{wrong}");
        }
    }
}
