//! `top`: the processes of a container.

use std::ffi::OsString;

use clap::Args;

use crate::error::CommandError;
use containers::container::Containers;
use containers::supervisor::{Client, End, Request};

/// What docker gives `ps` where a person gives it nothing (moby `daemon.ContainerTop`).
const OPTIONS: &str = "-ef";

/// Show the processes of a container
#[derive(Debug, Args)]
#[command(
    after_help = "It is the container's own `ps` that looks, as root: an image without it has no top. Process IDs are the container's.\n\nExamples:\n  bulkhead top web\n  bulkhead top web -o pid,comm"
)]
pub struct TopArguments {
    /// Its name or ID
    #[arg(value_name = "CONTAINER")]
    pub container: String,
    /// Options for ps [default: -ef]
    #[arg(value_name = "OPTION", trailing_var_arg = true, allow_hyphen_values = true)]
    pub options: Vec<OsString>,
}

/// Shows them; the exit status of `ps`.
pub fn execute(arguments: &TopArguments) -> Result<u8, CommandError> {
    let container = &Containers::open_default()?.find(&arguments.container)?;
    let mut process = container.config().plan.container.process.clone();
    process.args = vec!["ps".into()];
    match &arguments.options[..] {
        [] => process.args.push(OPTIONS.into()),
        options => process.args.extend(options.iter().cloned().map(Into::into)),
    }
    (process.cwd, process.user) = ("/".into(), "0:0".into());
    process.check().map_err(CommandError::Process)?;
    let request = Request::Exec { process: Box::new(process), terminal: None, stdin: false };
    match Client::connect(container)?.session(&request, false, false)? {
        End::Exited(status) => Ok(status),
        End::Detached => Ok(0),
    }
}
