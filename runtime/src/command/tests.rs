use std::ffi::{OsStr, OsString};

use clap::CommandFactory;

use super::process::{process, setting};
use super::size::{parse_memory, parse_size, show_size};
use super::*;
use crate::image::ImageConfig;

fn parsed(arguments: &[&str]) -> Result<Arguments, String> {
    let arguments = ["bulkhead"].iter().chain(arguments).map(OsString::from);
    parse(arguments).map_err(|error| {
        assert_eq!(error.exit_status(), 2);
        let line = error.line();
        assert!(!line.contains('\n'), "{line}");
        line
    })
}

fn run_arguments(arguments: &[&str]) -> RunArguments {
    match parsed(arguments).unwrap().command {
        Command::Run(arguments) => arguments,
        _ => panic!("not run"),
    }
}

#[test]
fn wrong_usage_is_one_line() {
    let cases: [(&[&str], &str); 12] = [
        (&[], "no command: --help lists them"),
        (&["run", "--cpus", "0", "x"], "'0' for '--cpus <N>': 0 is not in 1..=32"),
        (&["run", "--cpus", "33", "x"], "33 is not in 1..=32"),
        (&["run", "--cpus", "two", "x"], "'two' for '--cpus <N>'"),
        (&["run", "--memory", "63M", "x"], "64M to 1024G"),
        (&["run", "--memory", "99999999999999999999G", "x"], "is not a size"),
        (&["run", "--memory=-1", "x"], "is not a size"),
        (&["run", "--memory", "64.5M", "x"], "is not a size"),
        (&["run", "--colour", "x"], "--colour"),
        (&["run", "--bundle", "b", "image"], "cannot be used with"),
        (&["run", "image", "command"], "'command'"),
        (&["prepare", "image"], "--out <FILE>"),
    ];
    for (arguments, message) in cases {
        let error = parsed(arguments).unwrap_err();
        assert!(error.contains(message), "{arguments:?}: {error}");
    }
}

#[test]
fn each_command_has_an_example_in_its_help() {
    for command in Arguments::command().get_subcommands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(
            help.contains(&format!("bulkhead {}", command.get_name())),
            "{}",
            command.get_name()
        );
    }
}

#[test]
fn sizes() {
    assert_eq!(parse_size("4096"), Ok(4096));
    assert_eq!(parse_size("3k"), Ok(3 << 10));
    assert_eq!(parse_size("32G"), Ok(32 << 30));
    let shown = [0, 999, 1000, 4_256_000, 999_499, 999_500, 12_340_000_000].map(show_size);
    assert_eq!(shown, ["0B", "999B", "1kB", "4.26MB", "999kB", "1MB", "12.3GB"]);
    assert_eq!(parse_memory("64M"), Ok(64 << 20));
    assert_eq!(parse_memory("1G"), Ok(1 << 30));
    for wrong in ["", "M", "1MM", "+1M", "1 M", "é", "18446744073709551616", "16777216T"] {
        assert!(parse_size(wrong).is_err(), "{wrong}");
    }
}

fn image() -> ImageConfig {
    ImageConfig {
        entrypoint: vec!["/entry".to_owned()],
        cmd: vec!["default".to_owned()],
        env: vec!["PATH=/bin".to_owned(), "A=image".to_owned()],
        user: "nobody".to_owned(),
        working_dir: "/srv".to_owned(),
        stop_signal: String::new(),
    }
}

fn process_of(
    arguments: &[&str],
    image: &ImageConfig,
) -> Result<(protocol::Setting, protocol::Process), CommandError> {
    let arguments = run_arguments(arguments);
    let container = &arguments.container;
    let host = |name: &OsStr| (name == "HERE").then(|| "host".into());
    Ok((setting(container)?, process(container, &arguments.command, image, host)?))
}

#[test]
fn the_image_says_what_the_flags_do_not() {
    let (setting, process) = process_of(&["run", "x"], &image()).unwrap();
    assert_eq!(process.args, ["/entry".into(), "default".into()]);
    assert_eq!(process.env, ["PATH=/bin".into(), "A=image".into()]);
    assert_eq!((process.cwd, process.user), ("/srv".into(), "nobody".into()));
    assert_eq!((setting.hostname, setting.read_only), ("bulkhead".into(), false));
}

#[test]
fn flags_go_before_the_image() {
    let flags =
        ["run", "-e", "A=flag", "-e", "HERE", "-e", "GONE", "-e", "B=", "-w", "/w", "-u", "1:2"];
    let more = ["--hostname", "h", "--read-only", "x", "--", "ls", "-l"];
    let (setting, process) = process_of(&[&flags[..], &more[..]].concat(), &image()).unwrap();
    assert_eq!(process.args, ["/entry".into(), "ls".into(), "-l".into()]);
    assert_eq!(process.env, ["PATH=/bin".into(), "A=flag".into(), "HERE=host".into(), "B=".into()]);
    assert_eq!((process.cwd, process.user), ("/w".into(), "1:2".into()));
    assert_eq!((setting.hostname, setting.read_only), ("h".into(), true));
}

#[test]
fn what_cannot_run_is_refused() {
    let nothing = ImageConfig::default();
    let refused = |arguments: &[&str], message: &str| {
        let error = process_of(arguments, &nothing).unwrap_err();
        assert_eq!(error.exit_status(), 2);
        assert!(error.line().contains(message), "{}", error.line());
    };
    refused(&["run", "dir"], "image dir names no command");
    refused(&["run", "-w", "relative", "x", "--", "ls"], "cwd");
    refused(&["run", "-e", "=x", "x", "--", "ls"], "has no name");
    refused(&["run", "--hostname", "", "x", "--", "ls"], "hostname");
}

#[test]
fn limits_come_from_the_environment() {
    let limits = |size: &str, entries: &str| {
        let (size, entries) = (size.to_owned(), entries.to_owned());
        prepare::limits(move |name| {
            Some(if name == "BULKHEAD_MAX_LAYER_SIZE" { size.clone() } else { entries.clone() })
        })
    };
    let set = limits("1M", "7").unwrap();
    assert_eq!((set.size, set.entries), (1 << 20, 7));
    assert!(limits("much", "7").unwrap_err().line().starts_with("BULKHEAD_MAX_LAYER_SIZE: 'much'"));
    assert!(limits("1M", "-1").unwrap_err().line().starts_with("BULKHEAD_MAX_LAYER_ENTRIES: '-1'"));
}
