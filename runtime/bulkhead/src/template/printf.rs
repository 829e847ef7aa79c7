//! `printf`, with the verbs of Go's fmt that templates need.

use serde_json::Value;

use super::functions::MOST;
use super::value::Item;
use host::text::visible;

/// `%s`, `%v`, `%d`, `%q`, `%t`, `%f`, `%x`, `%X`, `%o`, `%b`, `%c` and `%%`, with `-`, `+`, `0`, a width and a precision.
pub(super) fn printf(format: &str, values: &[Item]) -> Result<String, String> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut rest = format;
    while let Some((plain, behind)) = rest.split_once('%') {
        out += plain;
        let end =
            behind.find(|letter: char| !matches!(letter, '-' | '+' | ' ' | '#' | '.' | '0'..='9'));
        let (flags, verb) = behind.split_at(end.ok_or("printf: '%' without a verb")?);
        let mut letters = verb.chars();
        let verb = letters.next().unwrap_or('%');
        rest = letters.as_str();
        if verb == '%' {
            out.push('%');
            continue;
        }
        let value =
            values.next().ok_or_else(|| format!("printf: there is no value for '%{verb}'"))?;
        out += &padded(flags, verb, value)?;
    }
    out += rest;
    match values.next() {
        None => Ok(out),
        Some(value) => Err(format!("printf: there is no verb for '{}'", value.shown())),
    }
}

fn padded(flags: &str, verb: char, value: &Item) -> Result<String, String> {
    let unknown = || format!("printf: '%{flags}{verb}' can't show '{}'", value.shown());
    let left = flags.contains('-');
    let sizes = flags.trim_start_matches(['-', '+', ' ', '#', '0']);
    let (width, precision) = sizes.split_once('.').map_or((sizes, None), |(w, p)| (w, Some(p)));
    let size = |text: &str| match text {
        "" => Ok(0),
        text => text.parse().ok().filter(|size| *size <= MOST).ok_or_else(unknown),
    };
    let (width, precision) = (size(width)?, precision.map(size).transpose()?);
    let number = match value {
        Item::Data(Value::Number(number)) => Some(number),
        _ => None,
    };
    let text = match (verb, number) {
        ('s' | 'v', None) => match precision {
            Some(most) => value.shown().chars().take(most).collect(),
            None => value.shown().into_owned(),
        },
        ('v', Some(number)) => number.to_string(),
        ('t', _) if matches!(value, Item::Data(Value::Bool(_))) => value.shown().into_owned(),
        ('q', None) => format!("{:?}", value.text().ok_or_else(unknown)?),
        ('d', Some(number)) if number.is_i64() || number.is_u64() => {
            let sign = if flags.contains('+') && number.as_i64() >= Some(0) { "+" } else { "" };
            format!("{sign}{number}")
        }
        ('x', None) => {
            let text = value.text().ok_or_else(unknown)?;
            text.bytes().map(|byte| format!("{byte:02x}")).collect()
        }
        ('c', Some(number)) => {
            let number = number.as_u64().and_then(|number| u32::try_from(number).ok());
            visible(&char::from_u32(number.ok_or_else(unknown)?).ok_or_else(unknown)?.to_string())
                .into_owned()
        }
        ('x' | 'X' | 'o' | 'b', Some(number)) => {
            let number = number.as_i64().ok_or_else(unknown)?;
            let (sign, size) = (if number < 0 { "-" } else { "" }, number.unsigned_abs());
            match verb {
                'x' => format!("{sign}{size:x}"),
                'X' => format!("{sign}{size:X}"),
                'o' => format!("{sign}{size:o}"),
                _ => format!("{sign}{size:b}"),
            }
        }
        ('f', Some(number)) => {
            let number = number.as_f64().ok_or_else(unknown)?;
            // Go's own precision is 6.
            format!("{number:.*}", precision.unwrap_or(6))
        }
        _ => return Err(unknown()),
    };
    let zeros = flags.starts_with('0') && number.is_some() && !left;
    Ok(match () {
        () if left => format!("{text:<width$}"),
        () if zeros => format!("{text:0>width$}"),
        () => format!("{text:>width$}"),
    })
}
