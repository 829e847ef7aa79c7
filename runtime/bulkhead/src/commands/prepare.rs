//! `prepare`: a plan for a container, to be run later.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::arguments::EXAMPLES;
use crate::error::CommandError;
use crate::flags::Flags;
use crate::platforms::platform;
use crate::prepare::prepare;
use host::platform::Platform;
use host::program;

/// Prepare a container and write down how to run it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true)]
pub struct PrepareArguments {
    #[command(flatten)]
    pub flags: Flags,
    /// What its machine runs [default: what this one does]
    #[arg(long, value_parser = platform(), default_value_t = Platform::NATIVE, hide_default_value = true)]
    pub platform: Platform,
    /// Where to write the bundle
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Writes the plan.
pub fn execute(arguments: &PrepareArguments) -> Result<u8, CommandError> {
    let PrepareArguments { flags, platform, .. } = arguments;
    let plan = prepare(flags, *platform, program::guest_init)?.plan;
    let failed = |source| CommandError::WritePlan { path: arguments.out.clone(), source };
    let text = serde_json::to_vec_pretty(&plan).map_err(|error| failed(error.into()))?;
    fs::write(&arguments.out, text).map_err(failed)?;
    Ok(0)
}
