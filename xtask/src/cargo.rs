//! Cargo, and what it says that it built.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::error::Error;
use crate::tool;

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

/// Runs a command of cargo's that builds, and lists the executables that it built.
pub fn executables(message: &str, command: &mut Command) -> Result<Vec<Executable>, Error> {
    command.args(["--quiet", "--message-format=json-render-diagnostics"]);
    tool::run(message, command).map(|messages| parse(&messages))
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
