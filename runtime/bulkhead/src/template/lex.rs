//! From text to tokens, as Go's text/template cuts them (pkg.go.dev/text/template, "Actions" and "Text and spaces").

/// A part of a template.
#[derive(Debug, PartialEq)]
pub(super) enum Piece {
    /// Printed as it is.
    Plain(String),
    /// What was between `{{` and `}}`.
    Action(Vec<Token>),
}

/// A token of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub kind: Kind,
    /// Whether it stands right behind the one before it, as in `$x.Name`.
    pub glued: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Dot,
    /// `.Name`
    Field(String),
    /// `$name`, `$`
    Variable(String),
    /// A function, or a word of the language.
    Word(String),
    Text(String),
    Number(serde_json::Number),
    /// `|`, `(`, `)`, `,`, `=` and `:=`
    Sign(&'static str),
}

/// Cuts a template into pieces. Outside of actions `\t` and `\n` mean what they say, as in docker's lists.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let plain = |text: &str| Piece::Plain(text.replace("\\t", "\t").replace("\\n", "\n"));
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, action)) = rest.split_once("{{") {
        // `{{- ` takes the white space before it away, and ` -}}` that behind it.
        let trims = |text: &str| text.strip_prefix('-').is_some_and(|rest| rest.starts_with(BLANK));
        let (action, before) = match trims(action) {
            true => (&action[1..], before.trim_end_matches(BLANK)),
            false => (action, before),
        };
        pieces.push(plain(before));
        if let Some(comment) = action.trim_start_matches(BLANK).strip_prefix("/*") {
            let (_, behind) = comment.split_once("*/").ok_or("'/*' without '*/'")?;
            let behind = behind.trim_start_matches(BLANK);
            rest = match behind.strip_prefix("-}}") {
                Some(behind) => behind.trim_start_matches(BLANK),
                None => behind.strip_prefix("}}").ok_or("a comment ends with '*/}}'")?,
            };
            continue;
        }
        let (tokens, behind) = tokens(action)?;
        pieces.push(Piece::Action(tokens));
        rest = behind;
    }
    pieces.push(plain(rest));
    Ok(pieces)
}

/// White space, text/template's.
const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

/// The tokens up to `}}`, and what is behind it.
fn tokens(action: &str) -> Result<(Vec<Token>, &str), String> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut rest = action;
    loop {
        let trimmed = rest.trim_start_matches(BLANK);
        let glued = trimmed.len() == rest.len() && !tokens.is_empty();
        if let Some(behind) = trimmed.strip_prefix("}}") {
            return Ok((tokens, behind));
        }
        if let Some(behind) = trimmed.strip_prefix("-}}").filter(|_| !glued) {
            return Ok((tokens, behind.trim_start_matches(BLANK)));
        }
        let Some(first) = trimmed.chars().next() else {
            return Err("'{{' without '}}'".to_owned());
        };
        let (kind, behind) = match first {
            '"' => quoted(&trimmed[1..])?,
            '\'' => character(&trimmed[1..])?,
            '`' => {
                let (text, behind) = trimmed[1..].split_once('`').ok_or("'`' without another")?;
                (Kind::Text(text.to_owned()), behind)
            }
            '.' => match word(&trimmed[1..]) {
                ("", behind) => (Kind::Dot, behind),
                (name, behind) => (Kind::Field(name.to_owned()), behind),
            },
            '$' => {
                let (name, behind) = word(&trimmed[1..]);
                (Kind::Variable(name.to_owned()), behind)
            }
            '0'..='9' | '-' | '+' => number(trimmed)?,
            _ if is_word(first) => {
                let (name, behind) = word(trimmed);
                (Kind::Word(name.to_owned()), behind)
            }
            _ => {
                let signs = ["|", "(", ")", ",", "=", ":="];
                let sign = signs.into_iter().find(|sign| trimmed.starts_with(sign));
                let sign = sign.ok_or_else(|| {
                    format!("'{}' means nothing between '{{{{' and '}}}}'", first.escape_debug())
                })?;
                (Kind::Sign(sign), &trimmed[sign.len()..])
            }
        };
        tokens.push(Token { kind, glued });
        rest = behind;
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter| !is_word(letter)).unwrap_or(text.len()))
}

fn number(text: &str) -> Result<(Kind, &str), String> {
    let is_digit = |(at, letter): &(usize, char)| {
        is_word(*letter) || *letter == '.' || (*at == 0 && "+-".contains(*letter))
    };
    let length =
        text.char_indices().take_while(is_digit).map(|(_, letter)| letter.len_utf8()).sum();
    let (digits, behind) = text.split_at(length);
    let plain = digits.strip_prefix('+').unwrap_or(digits);
    let whole = plain.parse::<i64>().ok().or_else(|| in_other_base(plain)).map(Into::into);
    // Rust takes words for numbers, Go does not.
    let is_number = || !plain.contains(|letter: char| letter.is_alphabetic() && letter != 'e');
    let broken = || serde_json::Number::from_f64(plain.parse().ok().filter(|_| is_number())?);
    match whole.or_else(broken) {
        Some(number) => Ok((Kind::Number(number), behind)),
        None => Err(format!("'{}' is no number", digits.escape_debug())),
    }
}

/// `0x1f`, `0o17`, `0b11`.
fn in_other_base(text: &str) -> Option<i64> {
    let (prefix, digits) = text.split_at_checked(2)?;
    let base = match prefix.to_ascii_lowercase().as_str() {
        "0x" => 16,
        "0o" => 8,
        "0b" => 2,
        _ => return None,
    };
    i64::from_str_radix(digits, base).ok().filter(|_| !digits.starts_with(['+', '-']))
}

/// A character up to the next `'`, which is the number of it.
fn character(text: &str) -> Result<(Kind, &str), String> {
    let wrong = || "'\'' holds one character, and another '\'' ends it".to_owned();
    let (letter, behind) = match text.strip_prefix('\\') {
        Some(escape) => escaped(escape)?,
        None => {
            let letter = text.chars().next().ok_or_else(wrong)?;
            (letter, &text[letter.len_utf8()..])
        }
    };
    let behind = behind.strip_prefix('\'').ok_or_else(wrong)?;
    Ok((Kind::Number(u32::from(letter).into()), behind))
}

/// A text up to the next `"`.
fn quoted(text: &str) -> Result<(Kind, &str), String> {
    let (mut value, mut rest) = (String::new(), text);
    while let Some(letter) = rest.chars().next() {
        let behind = &rest[letter.len_utf8()..];
        let (letter, behind) = match letter {
            '"' => return Ok((Kind::Text(value), behind)),
            '\\' => escaped(behind)?,
            letter => (letter, behind),
        };
        value.push(letter);
        rest = behind;
    }
    Err("'\"' without another".to_owned())
}

/// What is meant by the text behind a `\`, and what follows. The escapes are Go's (The Go Programming Language Specification,
/// "Rune literals"), but for bytes that are no characters.
fn escaped(text: &str) -> Result<(char, &str), String> {
    let wrong = || {
        "a text in a template has the escapes \\n \\t \\r \\\" \\\\ \\xNN \\uNNNN \\UNNNNNNNN"
            .to_owned()
    };
    let kind = text.chars().next().ok_or_else(wrong)?;
    let behind = &text[kind.len_utf8()..];
    let length = match kind {
        'n' => return Ok(('\n', behind)),
        't' => return Ok(('\t', behind)),
        'r' => return Ok(('\r', behind)),
        '"' | '\\' | '\'' => return Ok((kind, behind)),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return Err(wrong()),
    };
    let (digits, behind) = behind.split_at_checked(length).ok_or_else(wrong)?;
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'));
    let is_character = |number: &u32| kind != 'x' || *number < 0x80;
    let letter = number.filter(is_character).and_then(char::from_u32).ok_or_else(wrong)?;
    Ok((letter, behind))
}
