//! The `bulkhead` command: flags, and what they and the image make of the process to run.

mod about;
mod arguments;
mod capabilities;
mod container;
mod containers;
mod control;
mod error;
mod find;
mod images;
mod life;
mod limits;
mod output;
mod prepare;
mod process;
mod pull;
mod refused;
mod run;
mod security;
mod size;
mod template;
#[cfg(test)]
mod tests;
mod tmpfs;
mod ulimit;
mod variables;

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use clap::CommandFactory;

pub use arguments::{Arguments, explain, parse};
use arguments::{Command, PrepareArguments, RunArguments};
pub use container::Container;
pub use error::{CommandError, in_one_line};
pub use prepare::prepare;

use crate::bundle::Bundle;
use crate::platform::Platform;
use crate::{program, vm};

/// Do what the command line says; the exit status.
pub fn execute(arguments: Arguments) -> Result<u8, CommandError> {
    match arguments.command {
        Command::Run(arguments) => run(arguments),
        Command::Create(arguments) => run::create(&arguments),
        Command::Prepare(arguments) => write_bundle(arguments),
        Command::About(command) => {
            about::execute(command, <Arguments as CommandFactory>::command())
        }
        Command::Images(command) => images::execute(command),
        Command::Containers(command) => containers::execute(command),
        Command::Control(command) => control::execute(command),
    }
}

fn run(arguments: RunArguments) -> Result<u8, CommandError> {
    let RunArguments { bundle, container, life, detach } = arguments;
    match bundle {
        Some(path) => Ok(vm::run(read_bundle(&path)?)?),
        None => run::run(&container, &life, detach),
    }
}

fn write_bundle(arguments: PrepareArguments) -> Result<u8, CommandError> {
    let PrepareArguments { container, platform, .. } = &arguments;
    let bundle = prepare(container, *platform, program::guest_init)?.bundle;
    let failed = |source| CommandError::WriteBundle { path: arguments.out.clone(), source };
    let text = serde_json::to_vec_pretty(&bundle).map_err(|error| failed(error.into()))?;
    write_private(&arguments.out, &text).map_err(failed)?;
    Ok(0)
}

/// Writes a file that only its owner can read, whoever could read what was there; a pipe or a device is written as it is.
fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    // What is in it is taken away when nobody else can read it any more.
    let mut options = File::options();
    let mut file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.set_len(0)?;
    }
    file.write_all(text)
}

fn read_bundle(path: &Path) -> Result<Bundle, CommandError> {
    let text = fs::read(path)
        .map_err(|source| CommandError::ReadBundle { path: path.to_owned(), source })?;
    let bundle: Bundle = serde_json::from_slice(&text)
        .map_err(|source| CommandError::Bundle { path: path.to_owned(), source })?;
    if bundle.platform != Platform::NATIVE {
        return Err(CommandError::BundlePlatform {
            path: path.to_owned(),
            found: bundle.platform,
            wanted: Platform::NATIVE,
        });
    }
    Ok(bundle)
}
