//! Sizes on the command line and in the environment: `512M`.

/// Bytes: a number, alone or with K, M, G or T for powers of 1024.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        Some((at, 't' | 'T')) => (&text[..at], 40),
        _ => (text, 0),
    };
    let wrong = || {
        format!(
            "'{}' is not a size: give bytes, or a number with K, M, G or T",
            text.escape_debug()
        )
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

/// Guest memory: from 64 MiB, in whole MiB.
pub fn parse_memory(text: &str) -> Result<u64, String> {
    in_range(text, 64 << 20, 1 << 40, "guest memory")
}

/// A scratch disk: large enough for a file system, in whole MiB.
pub fn parse_scratch(text: &str) -> Result<u64, String> {
    in_range(text, 16 << 20, 16 << 40, "a scratch disk")
}

fn in_range(text: &str, least: u64, most: u64, what: &str) -> Result<u64, String> {
    let size = parse_size(text)?;
    if !(least..=most).contains(&size) || !size.is_multiple_of(1 << 20) {
        return Err(format!(
            "{what} is {}M to {}G in whole M, not '{}'",
            least >> 20,
            most >> 30,
            text.escape_debug()
        ));
    }
    Ok(size)
}
