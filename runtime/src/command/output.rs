//! What listings print: a table, or what `--format` asks for.

use std::borrow::Cow;
use std::io::{self, Write};

use super::error::CommandError;

/// Print text as it is. A reader that has seen enough may leave.
pub fn print(text: &str) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CommandError::Output(error)),
        _ => Ok(()),
    }
}

/// Somebody else's text for a terminal, on which it does nothing but appear: characters that control one (C0, DEL, C1), break a
/// line or change the direction of writing (Unicode Standard Annex #9) are escaped as in Rust.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match acts(character) {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    Cow::Owned(shown)
}

/// JSON for a terminal: what [`visible`] escapes, escaped as JSON has it. In JSON such characters are in strings only, but for
/// the line breaks of its layout.
pub fn visible_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        match acts(character) && character != '\n' {
            true => shown += &format!("\\u{:04x}", u32::from(character)),
            false => shown.push(character),
        }
    }
    shown
}

/// All of these are in the Basic Multilingual Plane.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Lines in columns with three blanks between them; the first line is the heading.
pub fn table(lines: &[Vec<String>]) -> String {
    let lines: Vec<Vec<Cow<'_, str>>> =
        lines.iter().map(|line| line.iter().map(|cell| visible(cell)).collect()).collect();
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        lines.iter().filter_map(|line| Some(line.get(column)?.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text += cells.join("   ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_elses_text_acts_on_the_terminal() {
        let hostile = "a\u{1b}]0;x\u{7}b\u{9b}2Jc\r\u{202e}d é";
        let shown = visible(hostile);
        assert_eq!(shown, "a\\u{1b}]0;x\\u{7}b\\u{9b}2Jc\\r\\u{202e}d é");
        assert_eq!(visible("as it is é"), "as it is é");
        let lines =
            [vec!["NAME".to_owned(), "X".to_owned()], vec![hostile.to_owned(), "y".to_owned()]];
        let text = table(&lines);
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\r']) && text.lines().count() == 2, "{text}");
        let json = serde_json::json!({"Labels": hostile, "list": ["\n"]});
        let shown = visible_json(&format!("{json:#}"));
        assert!(!shown.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), json);
    }
}
