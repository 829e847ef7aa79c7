//! Cargo, and what it says that it built.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::error::Error;
use crate::progress::Step;
use crate::tool::{self, Line};

/// Cargo in this workspace.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.current_dir(workspace()).args(arguments);
    command
}

/// The root of the source tree.
pub fn workspace() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// An executable that cargo built.
#[derive(Debug, PartialEq, Eq)]
pub struct Executable {
    /// The name of its target: a binary's name, a test file's name, a library's name for its unit tests.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// The folder of its package.
    pub directory: PathBuf,
    /// It runs tests.
    pub is_test: bool,
}

/// Cargo tells how far it is only on a terminal, or when it is told to (the Cargo Book, "Configuration", `term`).
const PROGRESS: [(&str, &str); 3] = [
    ("CARGO_TERM_PROGRESS_WHEN", "always"),
    ("CARGO_TERM_PROGRESS_WIDTH", "100"),
    ("CARGO_TERM_COLOR", "never"),
];

/// How lines begin that tell what cargo does.
const STATUS: [&str; 12] = [
    "Adding",
    "Blocking",
    "Building",
    "Checking",
    "Compiling",
    "Downloaded",
    "Downloading",
    "Executable",
    "Finished",
    "Fresh",
    "Locking",
    "Updating",
];

/// Runs a command of cargo's that builds, and lists the executables that it built.
pub fn executables(message: &str, command: &mut Command) -> Result<Vec<Executable>, Error> {
    command.arg("--message-format=json-render-diagnostics").envs(PROGRESS);
    tool::run_step(&Step::start(message), command, sort).map(|messages| parse(&messages))
}

/// What a line on cargo's standard error is: `    Building [=====>     ] 34/180: syn, bulkhead` is drawn over and over.
fn sort(line: &str) -> Line<'_> {
    // Cargo clears a line before it writes another.
    let text = line.trim_start_matches("\x1b[K");
    let Some(status) = STATUS.iter().find(|status| text.trim_start().starts_with(*status)) else {
        return if text.is_empty() { Line::Passing } else { Line::Kept(text) };
    };
    let counts = text.rsplit_once("] ").map_or("", |(_, rest)| rest);
    let counts = counts.split(':').next().unwrap_or_default();
    match (*status, counts.split_once('/')) {
        ("Building", Some((done, all))) => Line::HowFar(format!("{} of {all} crates", done.trim())),
        ("Blocking", _) => Line::HowFar("another cargo is at work in this folder".into()),
        ("Downloading" | "Updating", _) => Line::HowFar("downloading crates".into()),
        _ => Line::Passing,
    }
}

/// The executables among cargo's JSON messages.
fn parse(messages: &str) -> Vec<Executable> {
    #[derive(Deserialize)]
    struct Artifact {
        target: Target,
        profile: Profile,
        manifest_path: PathBuf,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    #[derive(Deserialize)]
    struct Profile {
        test: bool,
    }
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    artifacts
        .filter_map(|artifact| {
            Some(Executable {
                name: artifact.target.name,
                path: artifact.executable?,
                directory: artifact.manifest_path.parent()?.to_owned(),
                is_test: artifact.profile.test,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_the_binaries_have_in_common_with_xtask_is_built_once() {
        let crates = |package: &[&str]| {
            let mut tree = command(&["tree", "--offline", "--locked", "--prefix", "none"]);
            tree.args(["--edges", "normal,build", "--format", "{p}, features {f}"]).args(package);
            let output = tree.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let text = String::from_utf8(output.stdout).unwrap();
            let crates = text.lines().map(|line| line.trim_end_matches(" (*)").to_owned());
            crates.collect::<BTreeSet<_>>()
        };
        let (own, all) = (crates(&["--package", "xtask"]), crates(&[]));
        assert!(own.len() > 1 && own.len() < all.len());
        let again: Vec<_> = own.difference(&all).collect();
        assert!(again.is_empty(), "with other features for xtask than for all: {again:#?}");
    }

    #[test]
    fn cargos_bar_is_understood_and_what_it_says_is_wrong_is_kept() {
        let far = |words: &str| Line::HowFar(words.to_owned());
        let bar =
            "    Building [=====>                     ]  34/180: syn(build), bulkhead-vmm(bin)   ";
        assert_eq!(sort(bar), far("34 of 180 crates"));
        assert_eq!(sort(&format!("\x1b[K{bar}")), far("34 of 180 crates"));
        let waiting = "    Blocking waiting for file lock on build directory";
        assert_eq!(sort(waiting), far("another cargo is at work in this folder"));
        for passing in
            ["   Compiling syn v2.0.1", "    Finished `dev` profile in 1.0s", "\x1b[K", ""]
        {
            assert_eq!(sort(passing), Line::Passing);
        }
        for wrong in
            ["error[E0308]: mismatched types", "  --> xtask/src/cargo.rs:1:1", "warning: x"]
        {
            assert_eq!(sort(wrong), Line::Kept(wrong));
        }
    }

    #[test]
    fn executables_are_found_among_cargos_messages() {
        let artifact = |name: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","manifest_path":"/w/p/Cargo.toml","target":{{"name":"{name}"}},
                "profile":{{"test":false}},"executable":{executable}}}"#
            )
            .replace('\n', "")
        };
        let artifacts = [artifact("libc", "null"), artifact("bulkhead", "\"/t/bulkhead\"")];
        let messages = artifacts.join("\n") + "\n{\"reason\":\"build-finished\"}\nnot JSON";
        let found = parse(&messages);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), found[0].is_test), ("bulkhead", false));
        assert_eq!(found[0].path, Path::new("/t/bulkhead"));
        assert_eq!(found[0].directory, Path::new("/w/p"));
    }
}
