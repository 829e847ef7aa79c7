//! The `bulkhead` command: flags, and what they and the image make of the process to run.

mod about;
mod arguments;
mod capabilities;
mod containers;
mod control;
mod error;
mod find;
mod flags;
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

use std::fs;
use std::path::Path;

use clap::CommandFactory;

pub use arguments::{Arguments, explain, parse};
use arguments::{Command, PrepareArguments, RunArguments};
pub use error::{CommandError, in_one_line};
pub use flags::Flags;
pub use prepare::prepare;

use ::containers::plan::Plan;
use ::containers::vm;
use host::cache::Cache;
use host::platform::Platform;
use host::program;

/// Do what the command line says; the exit status.
pub fn execute(arguments: Arguments) -> Result<u8, CommandError> {
    match arguments.command {
        Command::Run(arguments) => run(arguments),
        Command::Create(arguments) => run::create(&arguments),
        Command::Prepare(arguments) => write_plan(arguments),
        Command::About(command) => {
            about::execute(command, <Arguments as CommandFactory>::command())
        }
        Command::Images(command) => images::execute(command),
        Command::Containers(command) => containers::execute(command),
        Command::Control(command) => control::execute(command),
    }
}

fn run(arguments: RunArguments) -> Result<u8, CommandError> {
    let RunArguments { bundle, flags, life, detach } = arguments;
    match bundle {
        Some(path) => Ok(vm::run(read_plan(&path)?, Cache::open_default)?),
        None => run::run(&flags, &life, detach),
    }
}

fn write_plan(arguments: PrepareArguments) -> Result<u8, CommandError> {
    let PrepareArguments { flags, platform, .. } = &arguments;
    let plan = prepare(flags, *platform, program::guest_init)?.plan;
    let failed = |source| CommandError::WritePlan { path: arguments.out.clone(), source };
    let text = serde_json::to_vec_pretty(&plan).map_err(|error| failed(error.into()))?;
    fs::write(&arguments.out, text).map_err(failed)?;
    Ok(0)
}

fn read_plan(path: &Path) -> Result<Plan, CommandError> {
    let text = fs::read(path)
        .map_err(|source| CommandError::ReadPlan { path: path.to_owned(), source })?;
    let plan: Plan = serde_json::from_slice(&text)
        .map_err(|source| CommandError::Plan { path: path.to_owned(), source })?;
    if plan.vm.platform != Platform::NATIVE {
        return Err(CommandError::PlanPlatform {
            path: path.to_owned(),
            found: plan.vm.platform,
            wanted: Platform::NATIVE,
        });
    }
    Ok(plan)
}
