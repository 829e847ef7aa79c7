//! Files that were edited by hand, or damaged.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::sample::draft;
use crate::container::{Config, Container, ContainerError, Id};

/// What is said of a container whose file was edited.
fn complaint(file: &str, edit: impl Fn(String) -> Vec<u8>) -> String {
    let (_work, containers) = super::containers();
    let container = containers.create(Config { id: id(), ..draft("web") }).unwrap();
    let path = container.folder().join(file);
    let text = fs::read_to_string(&path).unwrap();
    let edited = edit(text.clone());
    assert_ne!(edited, text.into_bytes(), "nothing was edited");
    fs::write(&path, edited).unwrap();
    let opened = Container::open(container.folder().to_owned());
    let error = opened.and_then(|container| container.state()).unwrap_err().to_string();
    let start = format!("{}: ", path.display());
    let problem = error.strip_prefix(&start).unwrap_or_else(|| panic!("{error}"));
    assert!(!problem.contains('\n'), "{problem}");
    // It is no obstacle for others.
    containers.create(draft("other")).unwrap();
    containers.find("other").unwrap();
    problem.to_owned()
}

fn id() -> Id {
    "ab".repeat(32).try_into().unwrap()
}

#[test]
fn a_damaged_file_is_named_with_its_field() {
    let (config, state) = ("config.json", "state.json");
    let unknown = "\"web\", \"a\\n\\u001b[31mb\": []";
    let no_id = format!("\"{}\"", id());
    let cases = [
        (config, "\"web\"", "\"-web\"", "name: '-web' is no name for a container"),
        (config, "\"web\"", "7", "name: invalid type: integer `7`, expected a string"),
        (config, "\"web\"", unknown, "unknown field `a\\n\\u{1b}[31mb`, expected one of"),
        (config, "\"web\",", "\"web\",,", "key must be a string at line 3"),
        (config, &no_id, "\"abc\"", "id: 'abc' is not an ID of 64 digits"),
        (config, "\"sha256:", "\"", "image.manifest: invalid value"),
        (config, "\"stop_signal\": 15", "\"stop_signal\": 65", "stop_signal: 65 is no signal"),
        (config, "\"stop_signal\": 15", "\"stop_signal\": 256", "stop_signal: invalid value"),
        (config, "\"max_file\": 2", "\"max_file\": 0", "log.max_file: 0 is not in 1 to 1000"),
        (config, "\"max_size\": 10485760", "\"max_size\": 0", "log.max_size: a file needs"),
        (config, "\"vcpu_count\": 1", "\"vcpu_count\": -1", "bundle.vm.machine-config.vcpu_count"),
        (
            config,
            "\"cwd\": \"/\"",
            "\"cwd\": \"srv\"",
            "bundle.process.cwd: \"srv\" is not absolute",
        ),
        (config, "\"hostname\": \"test\"", "\"hostname\": \"\"", "bundle.setting.hostname: "),
        (config, "\"restart\": \"no\"", "\"restart\": \"so\"", "restart: unknown variant `so`"),
        (state, "\"created\"", "\"dancing\"", "status: unknown variant `dancing`"),
        (state, "\"exit_code\": 0", "\"exit_code\": 256", "exit_code: invalid value"),
        (state, "\"exit_code\": 0,", "", "missing field `exit_code` at line"),
    ];
    for (file, from, to, message) in cases {
        let problem = complaint(file, |text| text.replacen(from, to, 1).into_bytes());
        assert!(problem.contains(message), "{problem}");
    }
    for (edited, message) in [("", "EOF"), ("[]", "invalid"), ("{} {}", "missing field")] {
        for file in [config, state] {
            let problem = complaint(file, |_| edited.into());
            assert!(problem.contains(message), "{problem}");
        }
    }
    assert!(complaint(state, |_| "{}".into()).starts_with("missing field `status`"));
    let more = complaint(config, |text| format!("{text}{{").into_bytes());
    assert!(more.contains("trailing characters"), "{more}");
    let large = complaint(config, |_| vec![b' '; (16 << 20) + 1]);
    assert_eq!(large, "larger than 16 MiB");
}

#[test]
fn a_folder_with_anothers_configuration_is_left_out() {
    let (_work, containers) = super::containers();
    let [good, bad] = ["good", "bad"].map(|name| containers.create(draft(name)).unwrap());
    fs::copy(good.folder().join("config.json"), bad.folder().join("config.json")).unwrap();
    let left: Vec<Id> = containers.list().unwrap().iter().map(|c| c.id().clone()).collect();
    assert_eq!(left, [good.id().clone()]);
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let (_work, containers) = super::containers();
    let container = containers.create(draft("web")).unwrap();
    let path = container.folder().join("config.json");
    let refused = |message: &str| {
        let error = Container::open(container.folder().to_owned()).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert!(containers.list().unwrap().is_empty());
    };
    fs::remove_file(&path).unwrap();
    refused("cannot read it");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap();
    refused("not a file");
    fs::remove_file(&path).unwrap();
    symlink("/dev/zero", &path).unwrap();
    refused("not a file");
    fs::remove_file(&path).unwrap();
    fs::create_dir_all(path.join("folder/in/it")).unwrap();
    refused("not a file");
    containers.remove(&container, container.tenure().unwrap()).unwrap();
    assert!(!container.folder().exists() && Path::new("/dev/zero").exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// An error of one line, or a container that was checked.
    #[test]
    fn damaged_bytes_do_no_harm(at: prop::sample::Index, bytes: Vec<u8>, cut: bool, state: bool) {
        let (_work, containers) = super::containers();
        let container = containers.create(draft("web")).unwrap();
        let path = container.folder().join(if state { "state.json" } else { "config.json" });
        let mut text = fs::read(&path).unwrap();
        let at = at.index(text.len());
        let end = if cut { text.len() } else { at };
        text.splice(at..end, bytes);
        fs::write(&path, text).unwrap();
        let opened = Container::open(container.folder().to_owned());
        if let Err(error) = opened.and_then(|container| container.state()) {
            prop_assert!(matches!(error, ContainerError::Damaged { .. }), "{}", error);
            prop_assert!(!error.to_string().contains(char::is_control), "{}", error);
        }
        prop_assert!(containers.list().unwrap().len() <= 1);
        containers.remove(&container, container.tenure().unwrap()).unwrap();
    }
}
