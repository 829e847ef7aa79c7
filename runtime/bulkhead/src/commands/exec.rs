//! `exec`: another command in a container.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::Args;
use protocol::ByteString;

use crate::capabilities;
use crate::error::CommandError;
use crate::process::{environment, said};
use containers::container::Containers;
use containers::supervisor::{Client, End, Request};
use host::terminal;

/// Run another command in a container
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bulkhead exec -it web sh\n  bulkhead exec -e DEBUG=1 -w /srv web ./check"
)]
pub struct ExecArguments {
    /// Don't wait for it; what is typed is not passed on
    #[arg(long, short)]
    pub detach: bool,
    /// Pass on what is typed
    #[arg(long, short)]
    pub interactive: bool,
    /// Give it a terminal
    #[arg(long, short)]
    pub tty: bool,
    /// Give it all capabilities, and no filter of system calls
    #[arg(long)]
    pub privileged: bool,
    /// Set an environment variable; NAME alone takes this process's value
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub env: Vec<OsString>,
    /// Likewise, each line of a file; --env goes before it
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// Working directory [default: the container's]
    #[arg(long, short, value_name = "PATH")]
    pub workdir: Option<OsString>,
    /// User and group, names or numbers [default: the container's]
    #[arg(long, short, value_name = "USER[:GROUP]")]
    pub user: Option<OsString>,
    /// The container's name or ID
    #[arg(value_name = "CONTAINER")]
    pub container: String,
    /// The command and its arguments
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub command: Vec<OsString>,
}

/// Runs the command; its exit status.
pub fn execute(arguments: &ExecArguments) -> Result<u8, CommandError> {
    if arguments.detach && arguments.tty {
        let message = "exec: --detach and --tty exclude each other: nobody is at the terminal of what is not waited for";
        return Err(CommandError::Usage(message.to_owned()));
    }
    let container = &Containers::open_default()?.find(&arguments.container)?;
    let mut process = container.config().plan.container.process.clone();
    process.args = arguments.command.iter().cloned().map(ByteString::from).collect();
    let (files, flags) = (&arguments.env_file, &arguments.env);
    process.env = environment(process.env, files, flags, |name| std::env::var_os(name))?;
    if let Some(folder) = said(arguments.workdir.as_deref()) {
        process.cwd = folder.as_bytes().into();
    }
    if let Some(user) = said(arguments.user.as_deref()) {
        process.user = user.as_bytes().into();
    }
    if arguments.privileged {
        (process.capabilities, process.seccomp) = (capabilities::ALL, false);
    }
    process.check().map_err(CommandError::Process)?;
    let size = arguments.tty.then(|| terminal::size().unwrap_or(terminal::UNSEEN));
    let stdin = arguments.interactive && !arguments.detach;
    let request = Request::Exec { process: Box::new(process), terminal: size, stdin };
    let client = Client::connect(container)?;
    if arguments.detach {
        client.leave(&request)?;
        return Ok(0);
    }
    match client.session(&request, stdin, arguments.tty)? {
        End::Exited(status) => Ok(status),
        End::Detached => Ok(0),
    }
}
