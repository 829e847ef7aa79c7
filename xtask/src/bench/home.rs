//! A user's folders in the emulated host, with the programs installed and the demo image loaded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::plan::Parts;
use crate::error::{Doing, Error};

/// Where a container's host keeps everything, as the environment says it.
const FOLDERS: [&str; 3] = ["XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"];

/// All that a user of `bulkhead` has, in one folder.
pub struct Home(PathBuf);

impl Home {
    /// Puts everything into `folder`.
    pub fn prepare(parts: &Parts, passt: &Path, folder: PathBuf) -> Result<Home, Error> {
        let home = Home(folder);
        for name in FOLDERS.into_iter().chain(["bin"]) {
            let folder = home.0.join(name);
            fs::create_dir_all(&folder).doing(|| format!("create {}", folder.display()))?;
        }
        // passt too: files from outside are waited for.
        for program in parts.programs.iter().map(PathBuf::as_path).chain([passt]) {
            let copy = home.folder().join("bin").join(program.file_name().unwrap_or_default());
            fs::copy(program, copy).doing(|| format!("copy {}", program.display()))?;
        }
        end_well(home.bulkhead(["load", "--input"]).arg(&parts.image))?;
        Ok(home)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// One of the programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.0.join("bin").join(name)
    }

    /// A program that finds everything in here.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.envs(FOLDERS.map(|name| (name, self.0.join(name))));
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.0.join("bin").display()));
        // An image's name could be a path in it, and a look outside would be counted.
        command.current_dir(&self.0);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// `bulkhead`, likewise.
    pub fn bulkhead<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.command(&self.program("bulkhead"));
        command.args(arguments);
        command
    }
}

/// Runs it to its end, which must be a good one.
pub fn end_well(command: &mut Command) -> Result<(), Error> {
    let output = command.output();
    let output = output.doing(|| format!("start {}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let messages = String::from_utf8_lossy(&output.stderr);
    Err(Error::Content(format!("{command:?}: {}\n{messages}", output.status)))
}
