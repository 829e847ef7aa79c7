//! Sizes on the command line and in the environment: `512M`.

/// Bytes: a number, perhaps with a point, alone or with K, M, G, T or P for powers of 1024, in either case; a blank may be
/// before and `B` or `iB` behind that, as in docker (go-units `RAMInBytes`).
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "'{}' is not a size: give bytes, or a number with K, M, G or T",
            text.escape_debug()
        )
    };
    let is_number = |letter: char| letter.is_ascii_digit() || letter == '.';
    let (digits, unit) =
        text.split_at(text.find(|letter| !is_number(letter)).unwrap_or(text.len()));
    let shift = match unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return Err(wrong()),
    };
    if digits.contains('.') {
        let size = digits.parse::<f64>().map_err(|_| wrong())? * (1u64 << shift) as f64;
        // What is larger does not stay what it is in a number with a point.
        return if size <= (1u64 << 53) as f64 { Ok(size as u64) } else { Err(wrong()) };
    }
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

/// Virtual processors. docker's are shares of processors, and may be broken: `2.0` is whole.
pub fn parse_cpus(text: &str) -> Result<u32, String> {
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    };
    let number = whole.parse().ok().filter(|number| (1..=32).contains(number));
    number.ok_or_else(|| "a virtual machine has 1 to 32 whole processors".to_owned())
}

/// A container's memory: from 64 MiB.
pub fn parse_memory(text: &str) -> Result<u64, String> {
    in_range(text, 64 << 20, 1 << 40, "memory")
}

/// The size of /dev/shm.
pub fn parse_shared_memory(text: &str) -> Result<u64, String> {
    match parse_size(text)? {
        0 => Err("0 holds nothing: give the most that it may hold".to_owned()),
        size => Ok(size),
    }
}

/// A scratch disk: large enough for a file system. A broken MiB is made a whole one, of which disks are.
pub fn parse_scratch(text: &str) -> Result<u64, String> {
    Ok(in_range(text, 16 << 20, 16 << 40, "a scratch disk")?.next_multiple_of(1 << 20))
}

/// A size as docker shows it: three digits and a decimal unit, `4.26MB`.
pub fn show_size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    // 999.5 kB would be shown as 1000 kB.
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    let decimals = match size {
        _ if unit == 0 => 0,
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    let text = format!("{size:.decimals$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{}", UNITS[unit])
}

/// Memory as docker shows it: a binary unit, `12.5MiB`.
pub fn show_memory(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let decimals = if unit == 0 || size >= 100.0 { 0 } else { 1 };
    format!("{size:.decimals$}{}", UNITS[unit])
}

fn in_range(text: &str, least: u64, most: u64, what: &str) -> Result<u64, String> {
    let size = parse_size(text)?;
    if !(least..=most).contains(&size) {
        return Err(format!(
            "{what} is {}M to {}G, not '{}'",
            least >> 20,
            most >> 30,
            text.escape_debug()
        ));
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("3k"), Ok(3 << 10));
        assert_eq!(parse_size("32G"), Ok(32 << 30));
        let shown = [0, 999, 1000, 4_256_000, 999_499, 999_500, 12_340_000_000].map(show_size);
        assert_eq!(shown, ["0B", "999B", "1kB", "4.26MB", "999kB", "1MB", "12.3GB"]);
        assert_eq!(parse_memory("64M"), Ok(64 << 20));
        assert_eq!(parse_memory("1G"), Ok(1 << 30));
        for (text, size) in [
            ("1b", 1),
            ("512m", 512 << 20),
            ("1g", 1 << 30),
            ("2GiB", 2 << 30),
            ("1.5g", 3 << 29),
            ("0.5 k", 512),
            (".5m", 1 << 19),
            ("1 M", 1 << 20),
            ("1p", 1 << 50),
        ] {
            assert_eq!(parse_size(text), Ok(size), "{text}");
        }
        assert_eq!(parse_memory("64.5M"), Ok(129 << 19));
        assert_eq!(parse_cpus("2.0"), Ok(2));
        assert!(parse_cpus("2.5").is_err() && parse_cpus("0.0").is_err());
        for wrong in [
            "",
            "M",
            ".",
            ".M",
            "1.2.3",
            "1MM",
            "1ib",
            "+1M",
            "-1",
            "1  M",
            "é",
            "9999999999.5T",
            "18446744073709551616",
            "16777216T",
        ] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
