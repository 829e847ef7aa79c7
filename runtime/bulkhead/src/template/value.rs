//! Values, as Go prints and compares them (pkg.go.dev/fmt, "Printing").

use std::borrow::Cow;

use serde_json::Value;

use host::text::visible;

/// A value in a template.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// Of the item: somebody else's text, which may not act on the terminal.
    Data(Value),
    /// The template's own, or made of what may be shown.
    Text(String),
}

/// What Go prints for nothing.
const NOTHING: &str = "<no value>";

impl Item {
    /// Its text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Data(Value::String(text)) => Some(text),
            Self::Data(_) => None,
        }
    }

    /// What is printed.
    pub fn shown(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Data(value) => shown(value),
        }
    }

    pub fn value(self) -> Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Data(value) => value,
        }
    }

    /// Whether a field of it is missing which it might have.
    pub fn lacks(&self, name: &str) -> bool {
        matches!(self, Self::Data(Value::Object(fields)) if !fields.contains_key(name))
    }

    pub fn field(&self, name: &str) -> Result<Self, String> {
        let Self::Data(value) = self else {
            return Err(format!("'.{name}' of a text"));
        };
        value.get(name).cloned().map(Self::Data).ok_or_else(|| {
            let names: Vec<&str> =
                value.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            let held = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            format!("there is no field '.{name}'; fields are {held}")
        })
    }

    /// What `range` goes through, with its key.
    pub fn items(self) -> Result<Vec<(Self, Self)>, String> {
        /// More would be no list that somebody looks at.
        const MOST: u64 = 1_000_000;
        let number = |number: usize| Self::Data(number.into());
        Ok(match self {
            Self::Data(Value::Null) => Vec::new(),
            Self::Data(Value::Array(values)) => values
                .into_iter()
                .enumerate()
                .map(|(at, value)| (number(at), Self::Data(value)))
                .collect(),
            Self::Data(Value::Object(fields)) => fields
                .into_iter()
                .map(|(name, value)| (Self::Data(name.into()), Self::Data(value)))
                .collect(),
            Self::Data(Value::Number(count))
                if count.as_u64().is_some_and(|count| count <= MOST) =>
            {
                (0..count.as_u64().unwrap_or_default())
                    .map(|at| (Self::Data(at.into()), Self::Data(at.into())))
                    .collect()
            }
            other => return Err(format!("range: '{}' is no list", other.shown())),
        })
    }
}

/// Whether it is something: not empty, not 0, not false.
pub(super) fn is_true(item: &Item) -> bool {
    match item {
        Item::Text(text) => !text.is_empty(),
        Item::Data(value) => match value {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(values) => !values.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
        },
    }
}

/// As Go's `%v`: `[a b]` and `map[a:b]`.
pub(super) fn shown(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => NOTHING.into(),
        Value::String(text) => visible(text),
        Value::Array(values) => {
            format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(" ")).into()
        }
        Value::Object(fields) => {
            let field =
                |(name, value): (&String, &Value)| format!("{}:{}", visible(name), shown(value));
            format!("map[{}]", fields.iter().map(field).collect::<Vec<_>>().join(" ")).into()
        }
        other => other.to_string().into(),
    }
}
