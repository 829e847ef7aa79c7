//! `start`: containers that were created, or have ended.

use clap::Args;

use crate::error::CommandError;
use crate::foreground::in_foreground;
use crate::names::{Names, each};
use containers::container::Containers;
use containers::supervisor;

/// Start containers that were created, or have ended
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bulkhead start web db\n  bulkhead start -a job; echo $?")]
pub struct StartArguments {
    /// Show the container's output, and exit with its status
    #[arg(long, short)]
    pub attach: bool,
    /// Likewise, and type into it
    #[arg(long, short)]
    pub interactive: bool,
    #[command(flatten)]
    pub names: Names,
}

/// Starts each; attached to it, the container's exit status.
pub fn execute(arguments: &StartArguments) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    let StartArguments { attach: attached, interactive, names } = arguments;
    if !(*attached || *interactive) {
        return each(names, |name| {
            let container = containers.find(name)?;
            if container.state()?.control.is_some() {
                // As docker: it runs, and that is what is wanted.
                return Ok(());
            }
            Ok(supervisor::start(&container)?)
        });
    }
    let [name] = &names.containers[..] else {
        let message = "start --attach and --interactive take one container";
        return Err(CommandError::Usage(message.to_owned()));
    };
    let container = containers.find(name)?;
    let own_input = *interactive && container.config().stdin_open;
    in_foreground(container, own_input)
}
