//! docs/DOCKER.md says what is so.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory};

use super::parsed;
use crate::Arguments;
use crate::refused::{Harmless, Refusal, refused_commands, refused_flags};

const PAGE: &str = include_str!("../../../../docs/DOCKER.md");

/// What is under a heading. Commands' are of the third level.
fn section(heading: &str) -> Option<&'static str> {
    let begin = PAGE.find(&format!("\n{heading}\n"))? + 1 + heading.len();
    let end = PAGE[begin..].find("\n#").map_or(PAGE.len(), |length| begin + length);
    Some(&PAGE[begin..end])
}

/// The names between backticks in the paragraph that begins so.
fn names(section: &str, beginning: &str) -> Vec<String> {
    let mut paragraphs = section.split("\n\n").map(str::trim);
    let paragraph = paragraphs.find_map(|paragraph| paragraph.strip_prefix(beginning));
    let words = paragraph.unwrap_or_default().split_whitespace();
    words.map(|word| word.trim_matches([',', '`']).to_owned()).collect()
}

/// Lines of a list of what is refused.
fn refused(section: &str) -> BTreeSet<String> {
    section.lines().filter(|line| line.starts_with("- refused: ")).map(str::to_owned).collect()
}

fn line(refusal: &Refusal) -> String {
    let names: Vec<String> = refusal.names.iter().map(|name| format!("`{name}`")).collect();
    let taken = match refusal.harmless {
        Harmless::Nothing => String::new(),
        Harmless::Switch(value) => format!(" (`{}={value}` is taken)", refusal.names[0]),
        Harmless::Words(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            format!(" ({} is taken)", words.join(" or "))
        }
    };
    format!("- refused: {}: {}{taken}", names.join(", "), refusal.why)
}

fn flags(command: &Command) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        let longs = argument.get_long_and_visible_aliases().unwrap_or_default();
        names.extend(longs.iter().map(|long| format!("--{long}")));
        names.extend(argument.get_short().map(|short| format!("-{short}")));
    }
    names.remove("--help");
    // Those of the commands below it are in its section too.
    names.extend(command.get_subcommands().flat_map(flags));
    names
}

/// Commands of docker's; the others are ours alone.
fn is_dockers(command: &str) -> bool {
    !["check", "completions", "man", "prepare"].contains(&command)
}

#[test]
fn the_page_about_docker_lists_each_flag_of_each_command() {
    let all = Arguments::command();
    let commands = all.get_subcommands().filter(|command| !command.is_hide_set());
    for command in commands.filter(|command| is_dockers(command.get_name())) {
        let name = command.get_name();
        let section = section(&format!("### `{name}`"));
        let section = section.unwrap_or_else(|| panic!("docs/DOCKER.md does not tell of {name}"));
        let mut listed = BTreeSet::new();
        for flag in ["Works:", "Ours alone:"].into_iter().flat_map(|kind| names(section, kind)) {
            assert!(listed.insert(flag.clone()), "docs/DOCKER.md, {name}: {flag} is there twice");
        }
        assert_eq!(
            listed,
            flags(command),
            "docs/DOCKER.md, {name}: left what it lists, right what there is"
        );
        if name == "create" {
            assert!(section.contains("Refused: the same as of `run`."), "{section}");
            continue;
        }
        let expected: BTreeSet<String> = refused_flags(name).iter().map(line).collect();
        assert_eq!(refused(section), expected, "docs/DOCKER.md, {name}");
        for flag in refused_flags(name).iter().flat_map(|refusal| refusal.names) {
            assert!(!listed.contains(*flag), "{name} {flag} works, and is refused");
        }
    }
    for heading in PAGE.lines().filter_map(|line| line.strip_prefix("### ")) {
        let name = heading.trim_matches('`');
        assert!(all.find_subcommand(name).is_some(), "docs/DOCKER.md: there is no {name}");
    }
}

#[test]
fn the_page_about_docker_lists_what_is_not_here() {
    for (heading, table) in [
        ("## Before a command", refused_flags("bulkhead")),
        ("## Commands that are not here", refused_commands()),
    ] {
        let expected: BTreeSet<String> = table.iter().map(line).collect();
        assert_eq!(refused(section(heading).unwrap()), expected, "docs/DOCKER.md, {heading}");
    }
}

#[test]
fn what_is_refused_is_refused_by_name() {
    let all = Arguments::command();
    for command in all.get_subcommands() {
        let name = command.get_name();
        let mut words = vec![name];
        // What is missing is complained about later than what is unknown, but not than a wrong value.
        words
            .extend(command.get_positionals().filter(|place| place.is_required_set()).map(|_| "x"));
        for refusal in refused_flags(name) {
            for flag in refusal.names {
                // Without a value a switch is on; another flag takes the next word.
                if refusal.harmless != Harmless::Switch(true) {
                    let takes_text = matches!(refusal.harmless, Harmless::Words(_));
                    let value: &[&str] = if takes_text { &["another"] } else { &[] };
                    let error = parsed(&[&[name, flag], value, &words[1..]].concat()).unwrap_err();
                    let is_ours = refusal.harmless != Harmless::Nothing;
                    let told = if is_ours { refusal.names[0] } else { flag };
                    assert_eq!(
                        error,
                        format!("{told}: {} (try --help)", refusal.why),
                        "{name} {flag}"
                    );
                }
                let asks = |value: &str| {
                    let flag = format!("{flag}={value}");
                    parsed(&[&[name, &flag], &words[1..]].concat())
                };
                let (taken, other) = match refusal.harmless {
                    Harmless::Nothing => continue,
                    Harmless::Switch(value) => (vec![value.to_string()], (!value).to_string()),
                    Harmless::Words(words) => {
                        (words.iter().map(|&word| word.to_owned()).collect(), "another".to_owned())
                    }
                };
                for value in taken {
                    // A wrong value is said before what is missing.
                    if let Err(error) = asks(&value) {
                        assert!(error.starts_with("missing "), "{name} {flag}={value}: {error}");
                    }
                }
                let error = asks(&other).unwrap_err();
                assert!(error.ends_with(&format!("{} (try --help)", refusal.why)), "{error}");
            }
        }
    }
    for name in refused_commands().iter().flat_map(|refusal| refusal.names) {
        assert!(all.find_subcommand(name).is_none(), "{name} is there, and refused");
        let error = parsed(&[name]).unwrap_err();
        assert!(error.starts_with(&format!("{name}: ")), "{error}");
    }
    for flag in refused_flags("bulkhead").iter().flat_map(|refusal| refusal.names) {
        let error = parsed(&[flag, "ps"]).unwrap_err();
        assert!(error.starts_with(&format!("{flag}: ")), "{error}");
    }
}
