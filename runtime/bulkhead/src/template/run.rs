//! What a template makes of an item.

use std::slice::from_ref;

use serde_json::Value;

use super::functions::{Function, label, label_heading};
use super::heading;
use super::parse::{Base, Body, Branch, Command, Node, Pipeline, Term};
use super::value::{Item, is_true};

/// What a template is filled with.
pub(super) struct Run<'a> {
    /// The item, or for a table's heading the names of its columns.
    pub item: &'a Value,
    /// Functions leave names of columns as they are.
    pub is_heading: bool,
    variables: Vec<(String, Item)>,
    out: String,
}

/// The fields that are maps with anybody's keys, as docker's are.
const MAPS: [&str; 5] = ["Labels", "Ports", "Networks", "Tmpfs", "ExposedPorts"];

/// What comes after a node.
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'a> Run<'a> {
    pub fn new(item: &'a Value, is_heading: bool) -> Self {
        Self { item, is_heading, variables: Vec::new(), out: String::new() }
    }

    /// Where there are names of columns only, what can be made of them: as docker's, a heading is never an error.
    pub fn fill(mut self, body: &Body) -> Result<String, String> {
        let dot = Item::Data(self.item.clone());
        match self.body(body, &dot) {
            Err(error) if !self.is_heading => Err(error),
            _ => Ok(self.out),
        }
    }

    fn body(&mut self, body: &Body, dot: &Item) -> Result<Flow, String> {
        let known = self.variables.len();
        for node in body {
            match self.node(node, dot)? {
                Flow::Next => {}
                flow => {
                    self.variables.truncate(known);
                    return Ok(flow);
                }
            }
        }
        self.variables.truncate(known);
        Ok(Flow::Next)
    }

    fn node(&mut self, node: &Node, dot: &Item) -> Result<Flow, String> {
        match node {
            Node::Plain(text) => self.out += text,
            Node::Action(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                self.assign(pipeline, from_ref(&value))?;
                if pipeline.variables.is_empty() {
                    self.out += &value.shown();
                }
            }
            Node::Range(branch) => return self.range(branch, dot),
            Node::If(branch) | Node::With(branch) => {
                // What the condition declares is known in both halves only.
                let known = self.variables.len();
                let value = self.pipeline(&branch.pipeline, dot)?;
                self.assign(&branch.pipeline, from_ref(&value))?;
                let inner = if matches!(node, Node::With(_)) { &value } else { dot };
                let flow = match is_true(&value) {
                    true => self.body(&branch.body, inner),
                    false => self.body(&branch.otherwise, dot),
                };
                self.variables.truncate(known);
                return flow;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn range(&mut self, branch: &Branch, dot: &Item) -> Result<Flow, String> {
        let known = self.variables.len();
        let items = self.pipeline(&branch.pipeline, dot)?.items()?;
        if items.is_empty() {
            return self.body(&branch.otherwise, dot);
        }
        for (key, value) in items {
            match branch.pipeline.variables.len() {
                1 => self.assign(&branch.pipeline, from_ref(&value))?,
                _ => self.assign(&branch.pipeline, &[key, value.clone()])?,
            }
            let flow = self.body(&branch.body, &value)?;
            self.variables.truncate(known);
            if matches!(flow, Flow::Break) {
                break;
            }
        }
        Ok(Flow::Next)
    }

    fn assign(&mut self, pipeline: &Pipeline, values: &[Item]) -> Result<(), String> {
        for (name, value) in pipeline.variables.iter().zip(values) {
            let old = self.variables.iter_mut().rfind(|(known, _)| known == name);
            match old {
                _ if pipeline.declares => self.variables.push((name.clone(), value.clone())),
                Some((_, old)) => *old = value.clone(),
                None => return Err(unknown_variable(name)),
            }
        }
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Item) -> Result<Item, String> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, dot, value)?);
        }
        value.ok_or_else(|| "a value is missing".to_owned())
    }

    /// The value of the command before is the last argument.
    fn command(
        &mut self,
        command: &Command,
        dot: &Item,
        before: Option<Item>,
    ) -> Result<Item, String> {
        let Command { first, arguments } = command;
        match (&first.base, &first.path[..]) {
            (Base::Function(function), []) => {
                let mut values = Vec::new();
                for argument in arguments {
                    // As in Go, what decides is not looked at any further.
                    let decided = match function {
                        Function::And => values.last().is_some_and(|value| !is_true(value)),
                        Function::Or => values.last().is_some_and(is_true),
                        _ => false,
                    };
                    if !decided {
                        values.push(self.term(argument, dot)?);
                    }
                }
                values.extend(before);
                function.call(values, self.is_heading)
            }
            // Docker's lists of containers have one field that takes something.
            (Base::Dot, [name]) if name == "Label" && !arguments.is_empty() => {
                let name = self.term(&arguments[0], dot)?;
                Ok(if self.is_heading { label_heading(&name) } else { label(dot, &name)? })
            }
            _ if arguments.is_empty() && before.is_none() => self.term(first, dot),
            _ => Err("only a function takes values: functions are in front".to_owned()),
        }
    }

    fn term(&mut self, term: &Term, dot: &Item) -> Result<Item, String> {
        let mut value = match &term.base {
            Base::Dot => dot.clone(),
            Base::Variable(name) if name.is_empty() => Item::Data(self.item.clone()),
            Base::Variable(name) => {
                let known = self.variables.iter().rfind(|(known, _)| known == name);
                known.map(|(_, value)| value.clone()).ok_or_else(|| unknown_variable(name))?
            }
            Base::Literal(Value::String(text)) => Item::Text(text.clone()),
            Base::Literal(value) => Item::Data(value.clone()),
            Base::Group(pipeline) => self.pipeline(pipeline, dot)?,
            Base::Function(function) => function.call(Vec::new(), self.is_heading)?,
        };
        let mut holder = None;
        for name in &term.path {
            value = match value.lacks(name) {
                true if self.is_heading => Item::Text(heading(name)),
                // As in Go, a map has no value where a structure has no field.
                true if holder.is_some_and(|holder| MAPS.contains(&holder)) => {
                    Item::Data(Value::Null)
                }
                _ => value.field(name)?,
            };
            holder = Some(name.as_str());
        }
        Ok(value)
    }
}

fn unknown_variable(name: &str) -> String {
    format!("there is no variable '${name}'")
}
