//! JSON as docker reads it (Go's encoding/json): a field's name in any case, the last of two, nothing for null, and
//! bytes that are no text, or half a character, as U+FFFD. What nobody asks for is not looked at.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Error, Map, Value};

/// What of a value counts.
pub enum Shape {
    /// All of it.
    Any,
    /// Of an object, these fields.
    Fields(&'static [(&'static str, Shape)]),
    /// Of a list, so much of each element.
    List(&'static Shape),
}

/// A document of an image.
pub trait Document: Sized {
    /// Read it.
    fn read(text: &[u8]) -> Result<Self, Error>;
}

/// The value that the text gives in this shape.
pub fn value(text: &[u8], shape: &'static Shape) -> Result<Value, Error> {
    let text = whole_pairs(String::from_utf8_lossy(text).into_owned());
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let value = shape.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Half of a surrogate pair (RFC 8259 §7) is U+FFFD to Go's reader, and an error to ours.
fn whole_pairs(mut text: String) -> String {
    const ESCAPE: usize = "\\uXXXX".len();
    let unit = |text: &str, at: usize| {
        let digits = text.get(at..at + ESCAPE)?.strip_prefix("\\u")?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
    };
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        at += found;
        at += match (unit(&text, at), unit(&text, at + ESCAPE)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 2 * ESCAPE,
            (Some(0xd800..=0xdfff), _) => {
                text.replace_range(at..at + ESCAPE, "\\ufffd");
                ESCAPE
            }
            // Whatever it escapes, another backslash above all.
            _ => 2,
        };
    }
    text
}

/// What the value means; an error names the field.
pub fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(wrong)
}

/// An error that is no syntax error.
pub fn wrong(reason: impl fmt::Display) -> Error {
    serde::de::Error::custom(reason)
}

/// What a value is, for a message.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl<'de> DeserializeSeed<'de> for &'static Shape {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self {
            Shape::Any => Value::deserialize(deserializer),
            Shape::Fields(_) | Shape::List(_) => deserializer.deserialize_any(self),
        }
    }
}

/// What is not in the shape stays what it is: whoever needs it says what is wrong with it.
impl<'de> Visitor<'de> for &'static Shape {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let shape = if let Shape::List(shape) = self { *shape } else { &Shape::Any };
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(shape)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let fields = if let Shape::Fields(fields) = self { *fields } else { &[] };
        let mut values = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            let exact = fields.iter().find(|(name, _)| *name == key);
            let field =
                exact.or_else(|| fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(&key)));
            let Some((name, shape)) = field else {
                object.next_value::<IgnoredAny>()?;
                continue;
            };
            // null changes nothing, not even what an earlier field of that name says.
            match object.next_value_seed(shape)? {
                Value::Null => {}
                value => drop(values.insert((*name).to_owned(), value)),
            }
        }
        Ok(Value::Object(values))
    }
}
