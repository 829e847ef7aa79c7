//! The `bulkhead` command: flags, and what they and the image make of the process to run.

mod arguments;
mod container;
mod error;
mod find;
mod images;
mod output;
mod prepare;
mod process;
mod size;
mod template;
#[cfg(test)]
mod tests;
mod time;

use std::fs;
use std::path::Path;

pub use arguments::{Arguments, parse};
use arguments::{Command, PrepareArguments, RunArguments};
pub use container::Container;
pub use error::CommandError;
pub use prepare::prepare;

use crate::bundle::Bundle;
use crate::platform::Platform;
use crate::{program, vm};

/// Do what the command line says; the exit status.
pub fn execute(arguments: Arguments) -> Result<u8, CommandError> {
    match arguments.command {
        Command::Run(arguments) => run(arguments),
        Command::Prepare(arguments) => write_bundle(arguments),
        Command::Images(command) => images::execute(command),
    }
}

fn run(arguments: RunArguments) -> Result<u8, CommandError> {
    let RunArguments { bundle, container, command } = arguments;
    let bundle = match bundle {
        Some(path) => read_bundle(&path)?,
        None => prepare(&container, &command, Platform::NATIVE, program::guest_init)?,
    };
    Ok(vm::run(bundle)?)
}

fn write_bundle(arguments: PrepareArguments) -> Result<u8, CommandError> {
    let PrepareArguments { container, platform, command, .. } = &arguments;
    let bundle = prepare(container, command, *platform, program::guest_init)?;
    let failed = |source| CommandError::WriteBundle { path: arguments.out.clone(), source };
    let text = serde_json::to_vec_pretty(&bundle).map_err(|error| failed(error.into()))?;
    fs::write(&arguments.out, text).map_err(failed)?;
    Ok(0)
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
