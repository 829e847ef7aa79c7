//! `--format`: `json`, `table …`, or a text with actions in `{{` and `}}`, which are Go's and docker's.

mod functions;
mod lex;
mod parse;
mod printf;
mod run;
#[cfg(test)]
mod tests;
mod value;

use serde_json::{Map, Value};

use crate::error::CommandError;
use crate::output::table;
use host::text::visible_json;
use parse::Body;
use run::Run;

/// How to print items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Form);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// The whole item, in one line.
    Json,
    /// As without a template.
    Usual,
    /// A text for each item.
    Text(Body),
    /// Columns between tabs, with a heading.
    Table(Body),
}

/// Where the name of a column is not that of its field.
pub type Headings<'a> = &'a [(&'a str, &'a str)];

impl Template {
    /// Understand a template.
    pub fn parse(text: &str) -> Result<Self, String> {
        let body = |text: &str| parse::parse(lex::pieces(text)?);
        let table = text
            .strip_prefix("table")
            .filter(|rest| rest.is_empty() || rest.starts_with([' ', '\\', '\t', '{']));
        Ok(Self(match (text, table) {
            // As where docker's flag is not given.
            ("", _) => Form::Usual,
            ("json", _) => Form::Json,
            (_, Some(columns)) if columns.trim().is_empty() => Form::Usual,
            (_, Some(columns)) => Form::Table(body(columns.trim_matches(' '))?),
            _ => Form::Text(body(text)?),
        }))
    }

    /// Whether it asks for what is printed without it.
    pub fn is_usual(&self) -> bool {
        self.0 == Form::Usual
    }

    /// One line for an item.
    pub fn line(&self, item: &Value) -> Result<String, CommandError> {
        let mut line = match &self.0 {
            Form::Json => visible_json(&item.to_string()),
            Form::Text(body) => fill(body, item, false)?,
            Form::Usual | Form::Table(_) => {
                let message = "--format table is for lists: this is none".to_owned();
                return Err(CommandError::Usage(message));
            }
        };
        line.push('\n');
        Ok(line)
    }

    /// All items, one below the other. `headings` names the columns of a table: of them is said, too, which fields there are.
    pub fn lines(&self, items: &[Value], headings: Headings<'_>) -> Result<String, CommandError> {
        let Form::Table(body) = &self.0 else {
            return items.iter().map(|item| self.line(item)).collect();
        };
        let fields = items.first().and_then(Value::as_object).into_iter().flatten();
        let mut names: Map<String, Value> =
            fields.map(|(field, _)| (field.clone(), heading(field).into())).collect();
        names.extend(
            headings.iter().map(|(heading, field)| ((*field).to_owned(), (*heading).into())),
        );
        let mut rows = vec![fill(body, &names.into(), true)?];
        for item in items {
            rows.push(fill(body, item, false)?);
        }
        let cells = |row: &String| row.split('\t').map(str::to_owned).collect();
        Ok(table(&rows.iter().map(cells).collect::<Vec<_>>()))
    }
}

fn fill(body: &Body, item: &Value, is_heading: bool) -> Result<String, CommandError> {
    let filled = Run::new(item, is_heading).fill(body);
    filled.map_err(|why| CommandError::Usage(format!("--format: {why}")))
}

/// `CreatedAt` as `CREATED AT`, as docker writes it.
fn heading(field: &str) -> String {
    let mut heading = String::new();
    for (at, letter) in field.char_indices() {
        let inner = at > 0 && letter.is_uppercase();
        if inner && field[..at].ends_with(char::is_lowercase) {
            heading.push(' ');
        }
        heading.extend(letter.to_uppercase());
    }
    heading
}
