//! `--format`: `json`, or text with `{{.Field}}` in it.

use serde_json::Value;

use crate::error::CommandError;
use host::text::{visible, visible_json};

/// How to print one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Template {
    /// The whole item, in one line.
    Json,
    /// Pieces, one after the other.
    Text(Vec<Piece>),
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Printed as it is.
    Plain(String),
    /// The path to a field, from the outside in.
    Field(Vec<String>),
}

impl Template {
    /// Understand a template. `\t` and `\n` in it mean what they say.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "json" {
            return Ok(Self::Json);
        }
        let text = text.replace("\\t", "\t").replace("\\n", "\n");
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((plain, behind)) = rest.split_once("{{") {
            let (inner, behind) = behind.split_once("}}").ok_or("'{{' without '}}'")?;
            let path = inner.trim().strip_prefix('.').map(|path| path.split('.'));
            let named =
                |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
            match path.map(|path| path.map(str::to_owned).collect::<Vec<_>>()) {
                Some(path) if path.iter().all(|name| named(name)) => {
                    pieces.extend([Piece::Plain(plain.to_owned()), Piece::Field(path)]);
                }
                _ => {
                    let inner = inner.escape_debug();
                    return Err(format!("'{{{{{inner}}}}}' is not a field, as in '{{{{.ID}}}}'"));
                }
            }
            rest = behind;
        }
        pieces.push(Piece::Plain(rest.to_owned()));
        Ok(Self::Text(pieces))
    }

    /// One line for an item.
    pub fn line(&self, item: &Value) -> Result<String, CommandError> {
        let mut line = String::new();
        match self {
            Self::Json => line += &visible_json(&item.to_string()),
            Self::Text(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Plain(text) => line += text,
                        Piece::Field(path) => line += &field(item, path)?,
                    }
                }
            }
        }
        line.push('\n');
        Ok(line)
    }
}

/// A field's text; what is no text is JSON.
fn field(item: &Value, path: &[String]) -> Result<String, CommandError> {
    let mut value = item;
    for name in path {
        value = value.get(name).ok_or_else(|| {
            let names: Vec<&str> =
                value.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            let held = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            CommandError::Usage(format!("--format: there is no field '.{name}'; fields are {held}"))
        })?;
    }
    Ok(match value.as_str() {
        Some(text) => visible(text).into_owned(),
        None => visible_json(&value.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_filled_in() {
        let item = json!({"ID": "12", "Config": {"Env": ["A=b"]}});
        let line = |text: &str| Template::parse(text).unwrap().line(&item);
        assert_eq!(line("{{.ID}}\\t{{ .Config.Env }}}").unwrap(), "12\t[\"A=b\"]}\n");
        assert_eq!(line("json").unwrap(), format!("{item}\n"));
        assert!(
            line("{{.Id}}").unwrap_err().line().contains("no field '.Id'; fields are Config, ID")
        );
        let item = json!({"Labels": "a=\u{1b}[2J", "All": {"a": "\u{9b}2J"}});
        let line = |text: &str| Template::parse(text).unwrap().line(&item).unwrap();
        assert_eq!(line("{{.Labels}} {{.All}}"), "a=\\u{1b}[2J {\"a\":\"\\u009b2J\"}\n");
        assert!(!line("json").contains(['\u{1b}', '\u{9b}']));
        let line = |text: &str| Template::parse(text).unwrap().line(&item);
        assert!(line("{{.Labels.x}}").unwrap_err().line().contains("fields are none"));
        for wrong in ["{{", "{{}}", "{{.}}", "{{ID}}", "{{json .}}", "{{.A..B}}"] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_template_or_an_error(text in "[{}.a\\\\]{0,12}") {
            if let Ok(template) = Template::parse(&text) {
                let _ = template.line(&json!({"a": {"a": 1}}));
            }
        }
    }
}
