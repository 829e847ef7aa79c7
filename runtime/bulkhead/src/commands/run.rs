//! `run`: a new container, in the foreground or not.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::create::create;
use crate::arguments::EXAMPLES;
use crate::error::CommandError;
use crate::flags::Flags;
use crate::foreground::in_foreground;
use crate::life::Life;
use crate::output::print;
use containers::plan::Plan;
use containers::{supervisor, vm};
use host::cache::Cache;
use host::platform::Platform;

/// Run a container to its end
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true)]
pub struct RunArguments {
    /// Run what `prepare` wrote to FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["Flags", "Life"])]
    pub bundle: Option<PathBuf>,
    #[command(flatten)]
    pub flags: Flags,
    #[command(flatten)]
    pub life: Life,
    /// Let it run in the background, and print its ID
    #[arg(long, short, conflicts_with = "bundle")]
    pub detach: bool,
}

/// The container's exit status; in the background, prints the ID.
pub fn execute(arguments: &RunArguments) -> Result<u8, CommandError> {
    let RunArguments { bundle, flags, life, detach } = arguments;
    if let Some(path) = bundle {
        return Ok(vm::run(read_plan(path)?, Cache::open_default)?);
    }
    let container = create(flags, life)?;
    if *detach {
        supervisor::start(&container)?;
        print(&format!("{}\n", container.id()))?;
        return Ok(0);
    }
    in_foreground(container, life.interactive)
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
