//! The functions of templates: Go's (pkg.go.dev/text/template, "Functions") and docker's
//! (docs.docker.com/engine/cli/formatting).

use std::cmp::Ordering;

use serde_json::Value;

use super::printf::printf;
use super::value::{Item, is_true};
use host::text::{visible, visible_json};

macro_rules! functions {
    ($($name:literal $function:ident,)*) => {
        /// A function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Function {
            $($function,)*
        }

        impl Function {
            pub fn parse(name: &str) -> Result<Self, String> {
                match name {
                    $($name => Ok(Self::$function),)*
                    _ => {
                        let all = [$($name),*].join(", ");
                        Err(format!("there is no function '{}'; functions are {all}", name.escape_debug()))
                    }
                }
            }

            fn name(self) -> &'static str {
                match self {
                    $(Self::$function => $name,)*
                }
            }
        }
    };
}

functions! {
    "and" And, "or" Or, "not" Not, "eq" Eq, "ne" Ne, "lt" Lt, "le" Le, "gt" Gt, "ge" Ge,
    "index" Index, "len" Len, "print" Print, "printf" Printf, "println" Println, "slice" Slice,
    "json" Json, "join" Join, "split" Split, "title" Title, "lower" Lower, "upper" Upper, "pad" Pad,
    "truncate" Truncate,
}

impl Function {
    /// Its value. In a heading, docker's functions about texts leave names as they are (docker/cli `HeaderFunctions`).
    pub fn call(self, arguments: Vec<Item>, is_heading: bool) -> Result<Item, String> {
        use Function::*;
        if is_heading && matches!(self, Json | Join | Split | Title | Lower | Upper | Truncate) {
            // The name of a column is always the first value.
            return arguments.into_iter().next().ok_or_else(|| self.wrong("a value"));
        }
        let number = |item: &Item| match item {
            Item::Data(value) => value.as_u64().and_then(|number| usize::try_from(number).ok()),
            Item::Text(_) => None,
        };
        let text = |item: &Item| item.text().map(str::to_owned).ok_or_else(|| self.wrong("a text"));
        // What is somebody else's stays so: it is made visible when it is printed.
        let like = |item: &Item, text: String| match item {
            Item::Data(_) => Item::Data(text.into()),
            Item::Text(_) => Item::Text(text),
        };
        Ok(match (self, &arguments[..]) {
            (And | Or, [.., last]) => {
                let decides = |item: &&Item| is_true(item) == (self == Or);
                arguments.iter().find(decides).unwrap_or(last).clone()
            }
            (Not, [item]) => Item::Data((!is_true(item)).into()),
            (Eq, [first, others @ ..]) if !others.is_empty() => {
                let mut equal = false;
                for other in others {
                    equal |= compare(first, other)? == Ordering::Equal;
                }
                Item::Data(equal.into())
            }
            (Ne | Lt | Le | Gt | Ge, [first, second]) => {
                let order = compare(first, second)?;
                Item::Data(Value::Bool(match self {
                    Ne => order.is_ne(),
                    Lt => order.is_lt(),
                    Le => order.is_le(),
                    Gt => order.is_gt(),
                    _ => order.is_ge(),
                }))
            }
            (Index, [item, keys @ ..]) => {
                let mut item = item.clone();
                for key in keys {
                    item = index(&item, key)?;
                }
                item
            }
            (Len, [item]) => Item::Data(match item {
                Item::Data(Value::Array(values)) => values.len().into(),
                Item::Data(Value::Object(fields)) => fields.len().into(),
                item => text(item)?.len().into(),
            }),
            (Slice, [item, range @ ..]) if range.len() <= 2 => {
                let bound = |at: usize, default: usize| match range.get(at) {
                    Some(bound) => {
                        number(bound).ok_or_else(|| self.wrong("numbers behind the value"))
                    }
                    None => Ok(default),
                };
                let wrong = || self.wrong("a range within the value");
                match item {
                    Item::Data(Value::Array(values)) => {
                        let range = bound(0, 0)?..bound(1, values.len())?;
                        Item::Data(values.get(range).ok_or_else(wrong)?.to_vec().into())
                    }
                    item => {
                        let text = text(item)?;
                        let range = bound(0, 0)?..bound(1, text.len())?;
                        like(item, text.get(range).ok_or_else(wrong)?.to_owned())
                    }
                }
            }
            // Blanks are between what is no text (fmt.Sprint), or everywhere (fmt.Sprintln).
            (Print, items) => {
                let mut all = String::new();
                for (at, item) in items.iter().enumerate() {
                    if at > 0 && item.text().is_none() && items[at - 1].text().is_none() {
                        all.push(' ');
                    }
                    all += &item.shown();
                }
                Item::Text(all)
            }
            (Println, items) => {
                let shown: Vec<_> = items.iter().map(Item::shown).collect();
                Item::Text(shown.join(" ") + "\n")
            }
            (Printf, [format, values @ ..]) => Item::Text(printf(&text(format)?, values)?),
            (Json, [item]) => Item::Text(visible_json(&item.clone().value().to_string())),
            (Join, [items, separator]) => Item::Text(join(items, &text(separator)?)?),
            (Split, [item, separator]) => {
                let (text, separator) = (text(item)?, text(separator)?);
                let parts: Vec<Value> = match separator.is_empty() {
                    true => text.chars().map(|letter| letter.to_string().into()).collect(),
                    false => text.split(&separator).map(Into::into).collect(),
                };
                Item::Data(parts.into())
            }
            (Title, [item]) => like(item, title(&text(item)?)),
            (Lower, [item]) => like(item, text(item)?.to_lowercase()),
            (Upper, [item]) => like(item, text(item)?.to_uppercase()),
            (Pad, [item, before, behind]) => match (text(item)?, number(before), number(behind)) {
                (text, ..) if text.is_empty() => Item::Text(text),
                (text, Some(before @ 0..=MOST), Some(behind @ 0..=MOST)) => {
                    like(item, " ".repeat(before) + &text + &" ".repeat(behind))
                }
                _ => return Err(self.wrong("two numbers up to 1000 behind the text")),
            },
            (Truncate, [item, length]) => {
                let text = text(item)?;
                let length =
                    number(length).ok_or_else(|| self.wrong("a number behind the text"))?;
                // Docker counts bytes; a character is left whole here.
                like(item, text[..text.floor_char_boundary(length)].to_owned())
            }
            _ => return Err(self.wrong("other values, or another number of them")),
        })
    }

    fn wrong(self, wanted: &str) -> String {
        format!("{} takes {wanted}", self.name())
    }
}

/// The most blanks that `pad` and `printf` add.
pub(super) const MOST: usize = 1000;

fn compare(first: &Item, second: &Item) -> Result<Ordering, String> {
    let order = match (first, second) {
        (Item::Data(Value::Number(first)), Item::Data(Value::Number(second))) => {
            match (first.as_i64(), second.as_i64()) {
                (Some(first), Some(second)) => Some(first.cmp(&second)),
                _ => first.as_f64().partial_cmp(&second.as_f64()),
            }
        }
        (Item::Data(Value::Bool(first)), Item::Data(Value::Bool(second))) => {
            Some(first.cmp(second))
        }
        (Item::Data(Value::Null), Item::Data(Value::Null)) => Some(Ordering::Equal),
        // Whatever it is, it is not nothing.
        (Item::Data(Value::Null), _) => Some(Ordering::Less),
        (_, Item::Data(Value::Null)) => Some(Ordering::Greater),
        _ => first.text().zip(second.text()).map(|(first, second)| first.cmp(second)),
    };
    order.ok_or_else(|| format!("'{}' and '{}' can't be compared", first.shown(), second.shown()))
}

/// As in Go a key that is not there has an empty value, and a number that is not there is an error.
fn index(item: &Item, key: &Item) -> Result<Item, String> {
    match (item, key) {
        (Item::Data(Value::Object(fields)), key) => {
            let key = key.text().ok_or("index: the key of a map is a text")?;
            Ok(fields.get(key).cloned().map_or(Item::Text(String::new()), Item::Data))
        }
        (Item::Data(Value::Array(values)), Item::Data(Value::Number(at))) => {
            let found = at.as_u64().and_then(|at| values.get(usize::try_from(at).ok()?));
            let missing = || format!("index: there is no {at} of {}", values.len());
            found.cloned().map(Item::Data).ok_or_else(missing)
        }
        _ => Err(format!("index: '{}' has no '{}'", item.shown(), key.shown())),
    }
}

fn join(items: &Item, separator: &str) -> Result<String, String> {
    let shown = |value: &Value| Item::Data(value.clone()).shown().into_owned();
    match items {
        Item::Data(Value::Null) => Ok(String::new()),
        Item::Data(Value::Array(values)) => {
            Ok(values.iter().map(shown).collect::<Vec<_>>().join(separator))
        }
        Item::Data(Value::Object(fields)) => {
            let mut values: Vec<String> = fields.values().map(shown).collect();
            values.sort();
            Ok(values.join(separator))
        }
        other => Err(format!("join: '{}' is no list", other.shown())),
    }
}

/// Each word begins with a capital.
fn title(text: &str) -> String {
    let mut inside = false;
    let mut letter = |letter: char| {
        let begins =
            !std::mem::replace(&mut inside, letter.is_alphanumeric() || "_'".contains(letter));
        if begins { letter.to_uppercase().collect::<String>() } else { letter.to_string() }
    };
    text.chars().map(&mut letter).collect()
}

/// The value of one label of those that `Labels` lists, as docker's `.Label "NAME"`; empty where there is none.
pub(super) fn label(item: &Item, name: &Item) -> Result<Item, String> {
    let (labels, name) = (item.field("Labels")?, name.text().ok_or("'.Label' takes a name")?);
    let labels = labels.text().unwrap_or_default();
    let mut pairs = labels.split(',').filter_map(|label| label.split_once('='));
    let value = pairs.find(|(known, _)| *known == name).map(|(_, value)| value);
    Ok(Item::Text(visible(value.unwrap_or_default()).into_owned()))
}

/// What is behind the last dot of a label's name, in words (docker/cli `SubHeaderContext.Label`).
pub(super) fn label_heading(name: &Item) -> Item {
    let last = name.text().and_then(|name| name.rsplit('.').next()).unwrap_or_default();
    Item::Text(last.replace(['-', '_'], " "))
}
