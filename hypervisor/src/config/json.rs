//! A reader of JSON objects that always knows where it is.
//!
//! A derived `Deserialize` says `unknown field "foo" at line 9`. A person wants
//! `drives[0].foo`, wants to know which fields there are, and wants to hear the difference
//! between a field that nobody knows and one that Firecracker has and we do not have yet.
//! So each [`Object`] carries its path, remembers which fields were asked for, and
//! [`Object::finish`] refuses what is left over.

use std::fmt;

use serde_json::{Map, Value};

/// What is wrong with one field: `drives[0].is_read_only: 3: expected true or false`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct FieldError {
    /// The way to the field from the top of the file, such as `drives[0].path_on_host`.
    pub path: String,
    /// The value found (where there is one) and what would be right.
    pub problem: String,
}

/// A JSON object that is being read field by field.
pub struct Object<'a> {
    path: String,
    fields: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Object<'a> {
    /// The object at `path`; the top of a file has an empty path.
    pub fn new(path: &str, value: &'a Value) -> Result<Self, FieldError> {
        match value {
            Value::Object(fields) => {
                Ok(Object { path: path.to_owned(), fields, known: Vec::new() })
            }
            other => Err(FieldError {
                path: if path.is_empty() { "top level".to_owned() } else { path.to_owned() },
                problem: format!("{}: expected an object {{…}}", Shown(other)),
            }),
        }
    }

    /// The path of one of this object's fields.
    pub fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// An error about one of this object's fields.
    pub fn error(&self, name: &str, problem: impl Into<String>) -> FieldError {
        FieldError { path: self.path_of(name), problem: problem.into() }
    }

    /// A field's value; `null` counts as absent, as it does for Firecracker.
    fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// A field that may be absent.
    pub fn optional<T: Scalar>(&mut self, name: &'static str) -> Result<Option<T>, FieldError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match T::from_json(value) {
            Some(scalar) => Ok(Some(scalar)),
            None => Err(self.error(name, format!("{}: expected {}", Shown(value), T::EXPECTED))),
        }
    }

    /// A field that must be there.
    pub fn required<T: Scalar>(&mut self, name: &'static str) -> Result<T, FieldError> {
        self.optional(name)?
            .ok_or_else(|| self.error(name, format!("missing field, expected {}", T::EXPECTED)))
    }

    /// A field that holds one of a few words.
    pub fn word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[(&str, T)],
    ) -> Result<Option<T>, FieldError> {
        let Some(text) = self.optional::<String>(name)? else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let words: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
                Err(self.error(name, format!("{text:?}: expected {}", words.join(" or "))))
            }
        }
    }

    /// A field that is itself an object.
    pub fn object(&mut self, name: &'static str) -> Result<Option<Object<'a>>, FieldError> {
        let path = self.path_of(name);
        self.get(name).map(|value| Object::new(&path, value)).transpose()
    }

    /// A field that is a list of objects.
    pub fn list(&mut self, name: &'static str) -> Result<Option<Vec<Object<'a>>>, FieldError> {
        let path = self.path_of(name);
        match self.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(index, item)| Object::new(&format!("{path}[{index}]"), item))
                .collect::<Result<_, _>>()
                .map(Some),
            Some(other) => Err(self.error(name, format!("{}: expected a list […]", Shown(other)))),
        }
    }

    /// A field that is a list of texts, each of which `parse` understands or says what would be right.
    pub fn texts<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, FieldError> {
        let items = match self.get(name) {
            None => return Ok(Vec::new()),
            Some(Value::Array(items)) => items,
            Some(other) => {
                return Err(self.error(name, format!("{}: expected a list […]", Shown(other))));
            }
        };
        let mut texts = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let text = item.as_str().ok_or_else(|| "expected a string".to_owned());
            let parsed = text.and_then(&parse).map_err(|problem| {
                self.error(&format!("{name}[{index}]"), format!("{}: {problem}", Shown(item)))
            });
            texts.push(parsed?);
        }
        Ok(texts)
    }

    /// A field that Firecracker has and we do not have yet. The values that switch it off
    /// (`null`, `false`, `[]`, `"None"`) are fine: they ask for what we do anyway.
    pub fn unsupported(&mut self, name: &'static str) -> Result<(), FieldError> {
        match self.get(name) {
            None | Some(Value::Bool(false)) => Ok(()),
            Some(Value::Array(items)) if items.is_empty() => Ok(()),
            Some(Value::String(text)) if text == "None" => Ok(()),
            Some(_) => Err(self.error(name, "not supported yet: leave it out")),
        }
    }

    /// Ends the reading: a field that nobody asked for is refused by name.
    pub fn finish(self) -> Result<(), FieldError> {
        match self.fields.keys().find(|name| !self.known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let known: Vec<_> = self.known.iter().map(|name| format!("`{name}`")).collect();
                let problem = format!("unknown field, expected one of {}", known.join(", "));
                Err(self.error(name, problem))
            }
        }
    }
}

/// A field value that is not a container.
pub trait Scalar: Sized {
    /// What a person should write there.
    const EXPECTED: &'static str;
    /// The value, if it is of this kind.
    fn from_json(value: &Value) -> Option<Self>;
}

impl Scalar for String {
    const EXPECTED: &'static str = "a string";
    fn from_json(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl Scalar for bool {
    const EXPECTED: &'static str = "true or false";
    fn from_json(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl Scalar for u64 {
    const EXPECTED: &'static str = "a whole number";
    fn from_json(value: &Value) -> Option<Self> {
        value.as_u64()
    }
}

/// A value as an error message shows it: whole when it is short, else only its kind.
struct Shown<'a>(&'a Value);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Array(_) => f.write_str("a list"),
            Value::Object(_) => f.write_str("an object"),
            Value::String(text) if text.len() > 80 => f.write_str("a string"),
            short => write!(f, "{short}"),
        }
    }
}
