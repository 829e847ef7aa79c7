//! Flags that are on or off, as docker takes them: `--rm` is `--rm=true`, `--rm=false` takes it back, the last one counts.
//! And what is the same for the others: what stands behind one is its value, whatever it begins with.
//!
//! Each such flag of each command gets this in one place, whatever its definition says: nobody has to think of it.

use std::any::TypeId;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, Command};

/// What a switch's value is called in the help.
const VALUE: &str = "BOOL";

/// `command` and those below it, whose switches take a value, and in which a flag may be given again.
pub fn with_values(command: Command) -> Command {
    command
        .args_override_self(true)
        .mut_args(|argument| match () {
            () if is_switch(&argument) => with_value(argument),
            () if argument.is_positional() || !argument.get_action().takes_values() => argument,
            // As docker's: `--entrypoint -x`, `--tail -1`.
            () => argument.allow_hyphen_values(true),
        })
        .mut_subcommands(with_values)
}

/// Whether it is on or off.
pub fn is_switch(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::SetTrue)
        || argument.get_value_parser().type_id() == TypeId::of::<bool>()
            && matches!(argument.get_action(), ArgAction::Set)
}

fn with_value(argument: Arg) -> Arg {
    let is_off = argument.get_default_values().is_empty();
    let argument = argument
        .action(ArgAction::Set)
        // A value that is not behind `=` is the next argument.
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .value_name(VALUE)
        .value_parser(ValueParser::from(parse_switch));
    if is_off { argument.default_value("false") } else { argument }
}

/// The words that docker takes, which are those of Go's `strconv.ParseBool`.
pub fn parse_switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("give true or false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{ArgMatches, CommandFactory};

    use super::*;
    use crate::arguments::Arguments;

    /// Each command with its name and its switches.
    fn switches(all: &Command) -> Vec<(String, Vec<Arg>)> {
        let switches = |command: &Command| {
            command.get_arguments().filter(|arg| is_switch(arg)).cloned().collect()
        };
        all.get_subcommands()
            .map(|command| (command.get_name().to_owned(), switches(command)))
            .collect()
    }

    /// What `command` makes of `words`, where nothing but switches is looked at.
    fn switched(command: &str, words: &[&str]) -> Result<ArgMatches, clap::Error> {
        let all = with_values(Arguments::command());
        let command = all.find_subcommand(command).unwrap().clone();
        let free = |arg: Arg| arg.required(false);
        command.mut_args(free).no_binary_name(true).try_get_matches_from(words)
    }

    #[test]
    fn a_value_may_begin_as_a_flag() {
        for words in [
            &["-e", "-x=1"][..],
            &["--env", "--rm"],
            &["--entrypoint", "-x"],
            &["--label=-a=b"],
            &["-h", "-i"],
        ] {
            let found = switched("run", &[words, &["image"]].concat()).unwrap();
            assert!(!found.get_flag("rm") && !found.get_flag("interactive"), "{words:?}");
        }
    }

    #[test]
    fn every_switch_of_every_command_takes_a_value() {
        let mut count = 0;
        for (command, switches) in switches(&with_values(Arguments::command())) {
            for switch in switches {
                let names = [
                    switch.get_long().map(|long| format!("--{long}")),
                    switch.get_short().map(|short| format!("-{short}")),
                ];
                for name in names.into_iter().flatten() {
                    let id = switch.get_id().as_str();
                    let value = |words: &[&str]| {
                        let found = switched(&command, words).map(|found| found.get_flag(id));
                        found.map_err(|error| error.to_string())
                    };
                    count += 1;
                    assert_eq!(value(&[&name]), Ok(true), "{command} {name}");
                    for on in ["1", "t", "T", "true", "TRUE", "True"] {
                        assert_eq!(
                            value(&[&format!("{name}={on}")]),
                            Ok(true),
                            "{command} {name}={on}"
                        );
                    }
                    for off in ["0", "f", "F", "false", "FALSE", "False"] {
                        assert_eq!(
                            value(&[&format!("{name}={off}")]),
                            Ok(false),
                            "{command} {name}={off}"
                        );
                    }
                    for wrong in ["", "yes", "no", "tRUE", "2", " true"] {
                        let error = value(&[&format!("{name}={wrong}")]).unwrap_err();
                        assert!(
                            error.contains("give true or false"),
                            "{command} {name}={wrong}: {error}"
                        );
                    }
                    let (on, off) = (format!("{name}=true"), format!("{name}=false"));
                    assert_eq!(
                        value(&[&on, &off]),
                        Ok(false),
                        "{command} {name}: the last one counts"
                    );
                    assert_eq!(value(&[&name, &name]), Ok(true), "{command} {name}");
                }
            }
        }
        assert!(count > 40, "only {count}");
    }
}
