//! From tokens to what is done.

use std::vec::IntoIter;

use serde_json::Value;

use super::functions::Function;
use super::lex::{Kind, Piece, Token};

/// What is done, one after the other.
pub(super) type Body = Vec<Node>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Plain(String),
    Action(Pipeline),
    If(Branch),
    With(Branch),
    Range(Branch),
    Break,
    Continue,
}

/// A pipeline, what is done with its value, and what without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Branch {
    pub pipeline: Pipeline,
    pub body: Body,
    pub otherwise: Body,
}

/// `$a, $b := first | second`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pipeline {
    pub variables: Vec<String>,
    /// The variables are new ones.
    pub declares: bool,
    pub commands: Vec<Command>,
}

/// What is called, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub first: Term,
    pub arguments: Vec<Term>,
}

/// Something that has a value, and the path to a field of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub base: Base,
    pub path: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Base {
    Dot,
    Variable(String),
    Literal(Value),
    Function(Function),
    Group(Box<Pipeline>),
}

/// How deep blocks and groups may be in each other: each takes a piece of the stack.
const DEPTH: usize = 64;

const BARE_END: &str = "'{{end}}' without a beginning";

/// What ended a block.
enum BlockEnd {
    Template,
    Closed,
    /// With the tokens behind it.
    Else(Vec<Token>),
}

pub(super) fn parse(pieces: Vec<Piece>) -> Result<Body, String> {
    let mut parser = Parser { pieces: pieces.into_iter(), depth: 0, loops: 0 };
    match parser.body()? {
        (body, BlockEnd::Template) => Ok(body),
        (_, BlockEnd::Closed) => Err(BARE_END.to_owned()),
        (_, BlockEnd::Else(_)) => Err("'{{else}}' without a beginning".to_owned()),
    }
}

struct Parser {
    pieces: IntoIter<Piece>,
    depth: usize,
    /// How many of the blocks around are loops.
    loops: usize,
}

impl Parser {
    fn body(&mut self) -> Result<(Body, BlockEnd), String> {
        let mut body = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let tokens = match piece {
                Piece::Plain(text) => {
                    body.push(Node::Plain(text));
                    continue;
                }
                Piece::Action(tokens) => tokens,
            };
            let word = match tokens.first().map(|token| &token.kind) {
                Some(Kind::Word(word)) => word.as_str(),
                Some(_) => "",
                None => return Err("'{{}}' says nothing: give a field, as in '{{.ID}}'".to_owned()),
            };
            let rest = || tokens[1..].to_vec();
            let alone = tokens.len() == 1;
            body.push(match word {
                "end" if alone => return Ok((body, BlockEnd::Closed)),
                "else" => return Ok((body, BlockEnd::Else(rest()))),
                "if" => Node::If(self.branch(rest())?),
                "with" => Node::With(self.branch(rest())?),
                "range" => {
                    self.loops += 1;
                    let branch = self.branch(rest());
                    self.loops -= 1;
                    Node::Range(branch?)
                }
                "break" | "continue" if alone && self.loops == 0 => {
                    return Err(format!("'{{{{{word}}}}}' outside of '{{{{range}}}}'"));
                }
                "break" if alone => Node::Break,
                "continue" if alone => Node::Continue,
                "define" | "template" | "block" => {
                    return Err(format!("'{{{{{word}}}}}' is not supported"));
                }
                _ => Node::Action(pipeline(tokens)?),
            });
        }
        Ok((body, BlockEnd::Template))
    }

    fn branch(&mut self, tokens: Vec<Token>) -> Result<Branch, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("more than {DEPTH} blocks in each other"));
        }
        let pipeline = pipeline(tokens)?;
        let (body, end) = self.body()?;
        let unended = || "a block without '{{end}}'".to_owned();
        let otherwise = match end {
            BlockEnd::Closed => Vec::new(),
            BlockEnd::Template => return Err(unended()),
            BlockEnd::Else(tokens) => match tokens.first().map(|token| &token.kind) {
                None => match self.body()? {
                    (body, BlockEnd::Closed) => body,
                    (_, BlockEnd::Template) => return Err(unended()),
                    (_, BlockEnd::Else(_)) => return Err("two '{{else}}' of one block".to_owned()),
                },
                // It ends with the same `{{end}}`.
                Some(Kind::Word(word)) if word == "if" => {
                    vec![Node::If(self.branch(tokens[1..].to_vec())?)]
                }
                Some(Kind::Word(word)) if word == "with" => {
                    vec![Node::With(self.branch(tokens[1..].to_vec())?)]
                }
                Some(_) => return Err("behind '{{else' stands 'if', 'with' or nothing".to_owned()),
            },
        };
        self.depth -= 1;
        Ok(Branch { pipeline, body, otherwise })
    }
}

fn pipeline(tokens: Vec<Token>) -> Result<Pipeline, String> {
    let mut words = Words { tokens: tokens.into_iter().collect(), at: 0, depth: 0 };
    let pipeline = words.pipeline()?;
    match words.next() {
        None => Ok(pipeline),
        Some(_) => Err("')' without '('".to_owned()),
    }
}

/// The tokens of one action.
struct Words {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Words {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn is_sign(&self, ahead: usize, wanted: &str) -> bool {
        let kind = self.tokens.get(self.at + ahead).map(|token| &token.kind);
        matches!(kind, Some(Kind::Sign(sign)) if *sign == wanted)
    }

    fn variable(&self, ahead: usize) -> Option<String> {
        match self.tokens.get(self.at + ahead).map(|token| &token.kind) {
            Some(Kind::Variable(name)) if !name.is_empty() => Some(name.clone()),
            _ => None,
        }
    }

    fn pipeline(&mut self) -> Result<Pipeline, String> {
        let (mut variables, mut declares) = (Vec::new(), false);
        if let Some(first) = self.variable(0) {
            let second = self.variable(2).filter(|_| self.is_sign(1, ","));
            let length = if second.is_some() { 3 } else { 1 };
            declares = self.is_sign(length, ":=");
            if declares || self.is_sign(length, "=") {
                variables = [Some(first), second].into_iter().flatten().collect();
                self.at += length + 1;
            }
        }
        let mut commands = vec![self.command()?];
        while self.is_sign(0, "|") {
            self.at += 1;
            commands.push(self.command()?);
        }
        if commands[1..].iter().any(|command| matches!(command.first.base, Base::Literal(_))) {
            return Err("behind '|' stands a function".to_owned());
        }
        Ok(Pipeline { variables, declares, commands })
    }

    fn command(&mut self) -> Result<Command, String> {
        let mut terms = Vec::new();
        while self.at < self.tokens.len() && !self.is_sign(0, "|") && !self.is_sign(0, ")") {
            terms.push(self.term()?);
        }
        let mut terms = terms.into_iter();
        let first = terms.next().ok_or("a value is missing")?;
        Ok(Command { first, arguments: terms.collect() })
    }

    fn term(&mut self) -> Result<Term, String> {
        let mut path = Vec::new();
        let base = match self.next().map(|token| token.kind) {
            Some(Kind::Dot) => Base::Dot,
            Some(Kind::Field(name)) => {
                path.push(name);
                Base::Dot
            }
            Some(Kind::Variable(name)) => Base::Variable(name),
            Some(Kind::Text(text)) => Base::Literal(text.into()),
            Some(Kind::Number(number)) => Base::Literal(number.into()),
            Some(Kind::Word(word)) => match word.as_str() {
                "true" => Base::Literal(true.into()),
                "false" => Base::Literal(false.into()),
                "nil" => Base::Literal(Value::Null),
                word => Base::Function(Function::parse(word)?),
            },
            Some(Kind::Sign("(")) => {
                self.depth += 1;
                if self.depth > DEPTH {
                    return Err(format!("more than {DEPTH} '(' in each other"));
                }
                let pipeline = self.pipeline()?;
                if !self.is_sign(0, ")") {
                    return Err("'(' without ')'".to_owned());
                }
                self.at += 1;
                self.depth -= 1;
                Base::Group(Box::new(pipeline))
            }
            Some(Kind::Sign(sign)) => return Err(format!("'{sign}' is at a wrong place")),
            None => return Err("a value is missing".to_owned()),
        };
        while let Some(Token { kind: Kind::Field(name), glued: true }) = self.tokens.get(self.at) {
            path.push(name.clone());
            self.at += 1;
        }
        if matches!(self.tokens.get(self.at), Some(Token { kind: Kind::Dot, glued: true })) {
            return Err("a '.' without a name behind it".to_owned());
        }
        Ok(Term { base, path })
    }
}
