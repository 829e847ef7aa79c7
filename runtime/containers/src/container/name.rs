//! Names of containers.

use super::Id;

/// Docker's rule: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`.
pub fn check_name(name: &str) -> Result<(), String> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let first = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    match first && name.len() >= 2 && name.len() <= MAX && name.bytes().all(inner) {
        true => Ok(()),
        false => Err(format!(
            "'{}' is no name for a container: give a letter or digit, then letters, digits, '_', '.' or '-', 2 to {MAX} in all",
            name.escape_debug()
        )),
    }
}

/// A host name's length and more.
const MAX: usize = 128;

const ADJECTIVES: [&str; 16] = [
    "brisk", "calm", "dry", "even", "fair", "firm", "keen", "level", "neat", "quiet", "ready",
    "sound", "steady", "tidy", "tight", "trim",
];

/// Of ships.
const NOUNS: [&str; 16] = [
    "anchor", "beam", "bow", "cabin", "deck", "frame", "galley", "hatch", "helm", "hull", "keel",
    "mast", "oar", "rudder", "stern", "yard",
];

/// A name for who was given none. `attempt` counts those that were taken.
pub fn invent_name(id: &Id, attempt: u32) -> String {
    let digit = |at: usize| {
        let digit = char::from(id.as_str().as_bytes()[at]);
        digit.to_digit(16).map_or(0, |digit| digit as usize)
    };
    let name = format!("{}_{}", ADJECTIVES[digit(0)], NOUNS[digit(1)]);
    match attempt {
        0 => name,
        // Never taken: the ID is this container's alone.
        _ => format!("{name}_{}", id.short()),
    }
}
