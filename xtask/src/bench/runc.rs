//! `runc run` of the demo image's root: what starting a container costs without a VM.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::home::end_well;
use crate::error::{Doing, Error};

/// A bundle of the OCI runtime specification, and the program that runs it.
pub struct Runc {
    program: PathBuf,
    bundle: PathBuf,
}

impl Runc {
    /// Makes the bundle in `folder`: `runc spec` writes it, and `true` takes the place of the shell in a terminal.
    /// `root` is an archive.
    pub fn prepare(program: &Path, root: &Path, folder: PathBuf) -> Result<Runc, Error> {
        let unpacking = || format!("unpack {}", root.display());
        let archive = File::open(root).doing(unpacking)?;
        tar::Archive::new(archive).unpack(folder.join("rootfs")).doing(unpacking)?;
        let copy = folder.join("runc");
        fs::copy(program, &copy).doing(|| format!("copy {}", program.display()))?;
        let runc = Runc { program: copy, bundle: folder };
        end_well(&mut runc.command("spec"))?;
        let path = runc.bundle.join("config.json");
        let doing = || format!("change {}", path.display());
        let text = fs::read(&path).doing(doing)?;
        let mut config: Value =
            serde_json::from_slice(&text).map_err(std::io::Error::from).doing(doing)?;
        config["process"]["terminal"] = json!(false);
        config["process"]["args"] = json!(["true"]);
        fs::write(&path, config.to_string()).doing(doing)?;
        Ok(runc)
    }

    /// Runs the container to its end; nothing is left of it then.
    pub fn run(&self) -> Command {
        let mut command = self.command("run");
        command.arg("bench");
        command
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(verb).arg("--bundle").arg(&self.bundle);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}
