//! Sizes on the command line and in the environment: `512M`.

/// Bytes: a number, alone or with K, M, G or T for powers of 1024, in either case; `B` or `iB` may follow, as in docker.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || {
        format!(
            "'{}' is not a size: give bytes, or a number with K, M, G or T",
            text.escape_debug()
        )
    };
    let (digits, unit) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

/// Virtual processors. docker's are shares of processors, and may be broken.
pub fn parse_cpus(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=32).contains(number));
    number.ok_or_else(|| "a virtual machine has 1 to 32 whole processors".to_owned())
}

/// A container's memory: from 64 MiB, in whole MiB.
pub fn parse_memory(text: &str) -> Result<u64, String> {
    in_range(text, 64 << 20, 1 << 40, "memory")
}

/// A scratch disk: large enough for a file system, in whole MiB.
pub fn parse_scratch(text: &str) -> Result<u64, String> {
    in_range(text, 16 << 20, 16 << 40, "a scratch disk")
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
