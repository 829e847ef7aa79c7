//! Text for people.

use std::borrow::Cow;
use std::error::Error;

/// A name for a message: at most a line of it, with the bytes that are not text escaped.
pub fn printable(name: &[u8]) -> String {
    const LONGEST: usize = 120;
    let text = String::from_utf8_lossy(&name[..name.len().min(LONGEST)]).escape_debug().to_string();
    if name.len() > LONGEST { format!("{text}…") } else { text }
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

/// An error and its causes, in one line, on which a terminal does nothing but show it.
pub fn in_one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    visible(&text.replace('\n', " ")).into_owned()
}
