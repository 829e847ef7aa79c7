//! What of docker's command line has no meaning here. It is refused by name: what asks for a volume must not run without.
//! docs/DOCKER.md lists it for people, and what works.

mod table;

use clap::{Arg, ArgAction, Command};

/// Flags, or commands, and why they are refused.
pub struct Refusal {
    /// Its names; the first is docker's own.
    pub names: &'static [&'static str],
    /// Of a switch: the value that asks for what is so anyway, and is taken.
    pub harmless: Option<bool>,
    /// Why.
    pub why: &'static str,
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

/// `all` commands, which take switches that are refused where they ask for what is so anyway.
pub fn with_harmless_switches(all: Command) -> Command {
    all.mut_subcommands(|command| {
        let switches = refused_flags(command.get_name()).iter().filter_map(harmless_switch);
        let switches: Vec<Arg> = switches.collect();
        command.args(switches)
    })
}

/// A hidden flag, whose other value is an error. Whoever explains that says why.
fn harmless_switch(refusal: &'static Refusal) -> Option<Arg> {
    let harmless = refusal.harmless?;
    let parse = move |text: &str| match crate::switches::parse_switch(text)? {
        value if value == harmless => Ok(value),
        _ => Err(refusal.why.to_owned()),
    };
    let long = refusal.names.first()?.trim_start_matches('-');
    let short = refusal.names.iter().find_map(|name| match name.strip_prefix('-')?.as_bytes() {
        [letter] => Some(char::from(*letter)),
        _ => None,
    });
    let switch = Arg::new(long).long(long).hide(true).action(ArgAction::Set);
    let switch = switch.num_args(0..=1).require_equals(true).default_missing_value("true");
    let switch = switch.value_parser(parse);
    Some(match short {
        Some(short) => switch.short(short),
        None => switch,
    })
}
