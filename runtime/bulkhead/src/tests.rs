mod page;

use std::ffi::{OsStr, OsString};

use clap::CommandFactory;

use crate::commands::Command;
use crate::commands::run::RunArguments;
use crate::process::{process, setting};
use crate::*;
use images::image::ImageConfig;

pub(crate) fn parsed(arguments: &[&str]) -> Result<Arguments, String> {
    let arguments = ["bulkhead"].iter().chain(arguments).map(OsString::from);
    parse(arguments).map_err(|error| {
        assert_eq!(error.exit_status(), 2);
        let line = error.line();
        assert!(!line.contains('\n'), "{line}");
        line
    })
}

pub(crate) fn run_arguments(arguments: &[&str]) -> RunArguments {
    match parsed(arguments).unwrap().command {
        Command::Run(arguments) => arguments,
        _ => panic!("not run"),
    }
}

#[test]
fn wrong_usage_is_one_line() {
    let cases: [(&[&str], &str); 20] = [
        (&[], "no command: --help lists them"),
        (&["run", "--cpus", "0", "x"], "'0' for '--cpus <N>': a virtual machine has 1 to 32"),
        (&["run", "--cpus", "33", "x"], "'33' for '--cpus <N>': a virtual machine"),
        (
            &["run", "--uid-base", "1000", "x"],
            "'1000' for '--uid-base <UID>': give a number from 65536",
        ),
        (&["run", "--cpus", "1.5", "x"], "a virtual machine has 1 to 32 whole processors"),
        (&["run", "--cap-add", "ROOT", "x"], "'--cap-add <CAP>': 'ROOT' is not a capability"),
        (
            &["run", "--ulimit", "files=1", "x"],
            "'--ulimit <NAME=SOFT[:HARD]>': 'files' has no limit",
        ),
        (&["run", "--tmpfs", "/run:ro", "x"], "option 'ro' is not supported"),
        (&["run", "--security-opt", "label=x", "x"], "'label=x' is not supported"),
        (&["run", "-h"], "'--hostname <NAME>'"),
        (&["run", "--memory", "63M", "x"], "64M to 1024G"),
        (&["run", "--memory", "99999999999999999999G", "x"], "is not a size"),
        (&["run", "--memory=-1", "x"], "is not a size"),
        (&["run", "--memory", "63.9M", "x"], "64M to 1024G"),
        (&["run", "--colour", "x"], "--colour"),
        (&["run", "--bundle", "b", "image"], "cannot be used with"),
        (&["run", "--bundle", "b", "--tls-verify=false"], "cannot be used with"),
        (&["run", "--bundle", "b", "--rm"], "cannot be used with"),
        (&["run", "-d", "--bundle", "b"], "cannot be used with"),
        (&["prepare", "image"], "--out <FILE>"),
    ];
    for (arguments, message) in cases {
        let error = parsed(arguments).unwrap_err();
        assert!(error.contains(message), "{arguments:?}: {error}");
    }
}

#[test]
fn each_command_has_an_example_in_its_help() {
    let all = Arguments::command();
    for command in all.get_subcommands().filter(|command| !command.is_hide_set()) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(
            help.contains(&format!("bulkhead {}", command.get_name())),
            "{}",
            command.get_name()
        );
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
        labels: Default::default(),
        exposed_ports: vec!["80/tcp".to_owned()],
    }
}

fn process_of(
    arguments: &[&str],
    image: &ImageConfig,
) -> Result<(protocol::Setting, protocol::Process), CommandError> {
    let flags = &run_arguments(arguments).flags;
    let host = |name: &OsStr| (name == "HERE").then(|| "host".into());
    Ok((setting(flags)?, process(flags, image, host)?.0))
}

#[test]
fn the_image_says_what_the_flags_do_not() {
    for flags in [&["run", "x"][..], &["run", "-w", "", "-u", "", "-h", "", "x"]] {
        let (setting, process) = process_of(flags, &image()).unwrap();
        assert_eq!(process.args, ["/entry".into(), "default".into()]);
        assert_eq!(process.env, ["PATH=/bin".into(), "A=image".into()]);
        let said = (process.cwd, process.user, setting.hostname);
        assert_eq!(said, ("/srv".into(), "nobody".into(), "bulkhead".into()));
    }
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
fn what_follows_the_image_is_the_command_s() {
    let args = |words: &[&str]| {
        let words = [&["run", "--entrypoint", ""], words].concat();
        process_of(&words, &image()).unwrap().1.args
    };
    let cases: [(&[&str], &[&str]); 6] = [
        (&["x", "ls", "-l", "--cpus", "2"], &["ls", "-l", "--cpus", "2"]),
        (&["x", "--", "ls", "-l"], &["ls", "-l"]),
        (&["--", "x", "ls"], &["ls"]),
        (&["x", "sh", "-c", "--", "ls"], &["sh", "-c", "--", "ls"]),
        (&["x", "--", "--", "ls"], &["--", "ls"]),
        (&["x", "--volume", "/a:/b"], &["--volume", "/a:/b"]),
    ];
    for (words, expected) in cases {
        assert_eq!(args(words), expected.iter().map(|&word| word.into()).collect::<Vec<_>>());
    }
}

#[test]
fn another_entrypoint_takes_the_place_of_the_image_s_command_too() {
    let args = |words: &[&str]| process_of(words, &image()).unwrap().1.args;
    assert_eq!(args(&["run", "--entrypoint", "ls", "x"]), ["ls".into()]);
    assert_eq!(args(&["run", "--entrypoint=ls", "x", "-l"]), ["ls".into(), "-l".into()]);
}

#[test]
fn rights_and_limits_are_as_in_docker() {
    let flags = ["run", "--cap-drop", "ALL", "--cap-add", "net_admin", "--ulimit", "nproc=1"];
    let more = ["--ulimit", "nofile=1:2", "--ulimit", "nproc=3", "--tmpfs", "/run:size=1m"];
    let options =
        ["--security-opt", "no-new-privileges:true", "--security-opt", "seccomp=unconfined", "x"];
    let (setting, process) = process_of(&[&flags[..], &more, &options].concat(), &image()).unwrap();
    assert_eq!(process.capabilities, 1 << 12);
    let limits: Vec<_> = process.limits.iter().map(|l| (l.resource, l.soft, l.hard)).collect();
    assert_eq!(limits, [(7, Some(1), Some(2)), (6, Some(3), Some(3))]);
    assert_eq!((process.no_new_privileges, process.seccomp), (true, false));
    assert_eq!(
        (setting.tmpfs[0].path.clone(), setting.tmpfs[0].size),
        ("/run".into(), Some(1 << 20))
    );

    let (_, process) = process_of(&["run", "x"], &image()).unwrap();
    assert_eq!((process.capabilities, process.limits.len()), (0xa804_25fb, 0));
    assert_eq!((process.no_new_privileges, process.seccomp), (false, true));
}

#[test]
fn files_of_variables_stand_between_the_image_and_the_flags() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).into_os_string().into_string().unwrap();
    std::fs::write(path("one"), "A=one\nB=one\nHERE\nGONE\n").unwrap();
    std::fs::write(path("two"), "B=two\nC=two\n").unwrap();
    let flags =
        ["run", "-e", "C=flag", "--env-file", &path("one"), "--env-file", &path("two"), "x"];
    let (_, process) = process_of(&flags, &image()).unwrap();
    let expected = ["PATH=/bin", "A=one", "HERE=host", "B=two", "C=flag"];
    assert_eq!(process.env, expected.map(Into::into));
}

#[test]
fn flags_of_docker_without_a_meaning_here_are_refused_by_name() {
    for (flags, message) in [
        (&["-v", "/a:/b"][..], "-v: volumes are not supported yet"),
        (&["--volume=/a:/b"], "--volume: volumes are not supported yet"),
        (&["--network-alias", "db"], "--network-alias: give --network NETWORK:alias=NAME"),
        (&["--privileged"], "--privileged: not supported: give --cap-add ALL"),
        (&["--pid=host"], "--pid: each container has a virtual machine of its own"),
        (&["--device=/dev/fuse"], "--device: a container has docker's default devices only"),
        (&["--memory-swap", "1g"], "--memory-swap: a container has its virtual machine's memory"),
        (&["--pids-limit", "5"], "--pids-limit: not supported yet: give --ulimit nproc=N"),
    ] {
        for command in ["run", "prepare"] {
            let error = parsed(&[&[command], flags, &["x"]].concat()).unwrap_err();
            assert!(error.starts_with(message), "{flags:?}: {error}");
        }
    }
    // They are docker run's, not docker images'.
    assert!(parsed(&["images", "-v"]).unwrap_err().starts_with("unexpected argument '-v'"));
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
    refused(&["run", "--entrypoint", "", "dir"], "image dir names no command");
    refused(&["run", "--tmpfs", "/a\0", "x", "ls"], "tmpfs");
    refused(&["run", "-w", "relative", "x", "--", "ls"], "cwd");
    refused(&["run", "-e", "=x", "x", "--", "ls"], "has no name");
    refused(&["run", "--hostname", &"h".repeat(65), "x", "--", "ls"], "hostname");
}

#[test]
fn what_an_image_says_and_cannot_run_is_refused_by_field() {
    let image = |entrypoint: &[&str], cmd: &[&str], working_dir: &str| ImageConfig {
        entrypoint: entrypoint.iter().map(|&word| word.to_owned()).collect(),
        cmd: cmd.iter().map(|&word| word.to_owned()).collect(),
        working_dir: working_dir.to_owned(),
        ..ImageConfig::default()
    };
    let (entrypoint, cmd) = (image(&["", "x"], &[], ""), image(&[], &["", "x"], ""));
    let relative = image(&[], &["x"], "app");
    for (arguments, image, message) in [
        (&["run", "dir"][..], &entrypoint, "image dir: the first word of its Entrypoint is empty"),
        (&["run", "dir", "x"], &entrypoint, "image dir: the first word of its Entrypoint is empty"),
        (&["run", "dir"], &cmd, "image dir: the first word of its Cmd is empty"),
        (&["run", "dir"], &relative, "image dir: its WorkingDir 'app' is not an absolute path"),
    ] {
        let error = process_of(arguments, image).unwrap_err();
        assert!(error.line().contains(message), "{}", error.line());
    }
    for (arguments, image) in [
        (&["run", "--entrypoint", "x", "dir"][..], &entrypoint),
        (&["run", "dir", "x"], &cmd),
        (&["run", "-w", "/app", "dir"], &relative),
    ] {
        process_of(arguments, image).unwrap();
    }
}

#[test]
fn limits_come_from_the_environment() {
    let limits = |size: &str, entries: &str| {
        let (size, entries) = (size.to_owned(), entries.to_owned());
        limits::limits(move |name| {
            Some(if name == "BULKHEAD_MAX_LAYER_SIZE" { size.clone() } else { entries.clone() })
        })
    };
    let set = limits("1M", "7").unwrap();
    assert_eq!((set.size, set.entries), (1 << 20, 7));
    assert!(limits("much", "7").unwrap_err().line().starts_with("BULKHEAD_MAX_LAYER_SIZE: 'much'"));
    assert!(limits("1M", "-1").unwrap_err().line().starts_with("BULKHEAD_MAX_LAYER_ENTRIES: '-1'"));
}

#[test]
fn values_of_switches_go_both_ways() {
    let flags = ["--rm=false", "--tty=true", "--interactive=0", "--read-only=T", "--tls-verify=F"];
    let run = run_arguments(&[&["run"], &flags[..], &["x"]].concat());
    assert_eq!((run.life.rm, run.life.tty, run.life.interactive), (false, true, false));
    assert_eq!((run.flags.read_only, run.flags.tls_verify), (true, false));
    for (flags, expected) in [
        (&["-it"][..], (true, true)),
        (&["-it=false"], (true, false)),
        (&["-t", "-i", "-t=false"], (true, false)),
        (&["-i", "true"], (true, false)),
    ] {
        let run = run_arguments(&[&["run"], flags, &["x"]].concat());
        assert_eq!((run.life.interactive, run.life.tty), expected, "{flags:?}");
    }
    // What is behind a blank is no value.
    assert_eq!(run_arguments(&["run", "-i", "true", "x"]).flags.image().unwrap(), "true");
    let error = parsed(&["run", "--rm=maybe", "x"]).unwrap_err();
    assert!(error.contains("'maybe' for '--rm[=<BOOL>]': give true or false"), "{error}");
    // The last one counts, here too.
    assert_eq!(run_arguments(&["run", "-m", "64M", "-m", "128M", "x"]).flags.memory, 128 << 20);
}
