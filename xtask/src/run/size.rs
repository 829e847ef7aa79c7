//! The amount of memory on the command line.

/// An amount of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mebibytes(pub u32);

/// The least memory that a Linux guest starts with.
const MINIMUM: u32 = 64;

/// Reads a number with a unit, as 512M or 2G.
pub fn parse(text: &str) -> Result<Mebibytes, String> {
    let expected = || format!("{text:?} is not a size such as 512M or 2G");
    let (number, factor) = match text.strip_suffix(['M', 'm']) {
        Some(number) => (number, 1),
        None => (text.strip_suffix(['G', 'g']).ok_or_else(expected)?, 1024),
    };
    let number: u32 = number.parse().map_err(|_| expected())?;
    let size = number.checked_mul(factor).ok_or_else(expected)?;
    if size < MINIMUM {
        return Err(format!("{text} is too little: a guest needs {MINIMUM}M or more"));
    }
    Ok(Mebibytes(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_and_a_minimum() {
        assert_eq!(parse("64M"), Ok(Mebibytes(64)));
        assert_eq!(parse("2g"), Ok(Mebibytes(2048)));
        for wrong in ["", "M", "63M", "64", "-1G", "64K", "9999999999M", "4194304G"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
