//! Text for people.

/// A name for a message: at most a line of it, with the bytes that are not text escaped.
pub fn printable(name: &[u8]) -> String {
    const LONGEST: usize = 120;
    let text = String::from_utf8_lossy(&name[..name.len().min(LONGEST)]).escape_debug().to_string();
    if name.len() > LONGEST { format!("{text}…") } else { text }
}
