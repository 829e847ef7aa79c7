//! What of docker's command line has no meaning here. It is refused by name: what asks for a volume must not run without.
//! docs/DOCKER.md lists it for people, and what works.

mod table;

use clap::{Arg, ArgAction, Command};

/// Flags, or commands, and why they are refused.
pub struct Refusal {
    /// Its names; the first is docker's own.
    pub names: &'static [&'static str],
    /// What is taken all the same.
    pub harmless: Harmless,
    /// Why.
    pub why: &'static str,
}

/// Values that ask for what is so anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harmless {
    Nothing,
    /// Of a switch.
    Switch(bool),
    /// Of a flag that takes a text.
    Words(&'static [&'static str]),
}

/// Those of a command; of `bulkhead` itself, the flags that are before a command.
pub fn refused_flags(command: &str) -> &'static [Refusal] {
    match command {
        "run" | "create" | "prepare" => table::RUN,
        "bulkhead" => table::BULKHEAD,
        other => {
            let found = table::OTHERS.iter().find(|(name, _)| *name == other);
            found.map(|(_, refused)| *refused).unwrap_or_default()
        }
    }
}

/// Why the flag of this command is refused, if docker has it and we do not.
pub fn refused_flag(command: &str, flag: &str) -> Option<&'static str> {
    why(refused_flags(command), flag)
}

/// Docker's commands that are not here.
pub fn refused_commands() -> &'static [Refusal] {
    table::COMMANDS
}

/// Why there is no such command, if docker has it.
pub fn refused_command(name: &str) -> Option<&'static str> {
    why(refused_commands(), name)
}

fn why(refused: &'static [Refusal], name: &str) -> Option<&'static str> {
    refused.iter().find(|refusal| refusal.names.contains(&name)).map(|refusal| refusal.why)
}

/// `all` commands, which take flags that are refused where they ask for what is so anyway.
pub fn with_harmless_values(all: Command) -> Command {
    all.mut_subcommands(|command| {
        let flags = refused_flags(command.get_name()).iter().filter_map(harmless_flag);
        let flags: Vec<Arg> = flags.collect();
        command.args(flags)
    })
}

/// A hidden flag, of which all other values are errors. Whoever explains them says why.
fn harmless_flag(refusal: &'static Refusal) -> Option<Arg> {
    let bare = |name: &'static str| name.strip_prefix("--");
    let mut longs = refusal.names.iter().filter_map(|name| bare(name));
    let long = longs.next()?;
    let short = refusal.names.iter().find_map(|name| match name.strip_prefix('-')?.as_bytes() {
        [letter] => Some(char::from(*letter)),
        _ => None,
    });
    let flag = Arg::new(long).long(long).aliases(longs).hide(true).action(ArgAction::Set);
    let why = || refusal.why.to_owned();
    let flag = match refusal.harmless {
        Harmless::Nothing => return None,
        Harmless::Switch(harmless) => {
            flag.num_args(0..=1).require_equals(true).default_missing_value("true").value_parser(
                move |text: &str| match crate::switches::parse_switch(text)? {
                    value if value == harmless => Ok(value),
                    _ => Err(why()),
                },
            )
        }
        Harmless::Words(harmless) => {
            flag.allow_hyphen_values(true).value_parser(move |text: &str| {
                match harmless.contains(&text) {
                    true => Ok(text.to_owned()),
                    false => Err(why()),
                }
            })
        }
    };
    Some(match short {
        Some(short) => flag.short(short),
        None => flag,
    })
}
