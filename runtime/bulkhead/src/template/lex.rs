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
        letter.is_ascii_digit() || *letter == '.' || (*at == 0 && "+-".contains(*letter))
    };
    let length = text.char_indices().take_while(is_digit).count();
    let (digits, behind) = text.split_at(length);
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let whole = digits.parse::<i64>().ok().map(Into::into);
    let number = whole.or_else(|| serde_json::Number::from_f64(digits.parse().ok()?));
    match number {
        Some(number) if !behind.starts_with(is_word) => Ok((Kind::Number(number), behind)),
        _ => Err(format!("'{}' is no number", word(text).0.escape_debug())),
    }
}

/// A text up to the next `"`. The escapes are Go's, but for those by number.
fn quoted(text: &str) -> Result<(Kind, &str), String> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((Kind::Text(value), &text[at + 1..])),
            '\\' => value.push(match letters.next() {
                Some((_, 'n')) => '\n',
                Some((_, 't')) => '\t',
                Some((_, 'r')) => '\r',
                Some((_, same @ ('"' | '\\' | '\''))) => same,
                _ => {
                    return Err(
                        "a text in a template has the escapes \\n \\t \\r \\\" \\\\".to_owned()
                    );
                }
            }),
            letter => value.push(letter),
        }
    }
    Err("'\"' without another".to_owned())
}
