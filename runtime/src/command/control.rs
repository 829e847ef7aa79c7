//! Commands on containers that run, or are to.

mod copy;
mod exec;
mod stats;
mod unpack;

use clap::{Args, Subcommand};

pub use unpack::UnpackError;

use super::error::CommandError;
use super::output::print;
use crate::container::{Container, Containers};
use crate::signal;
use crate::supervisor::{self, Client, End, Reply, Request, SupervisorError};

#[derive(Debug, Subcommand)]
pub enum ControlCommand {
    /// Start containers that were created, or have ended
    #[command(after_help = "Examples:\n  bulkhead start web db\n  bulkhead start -a job; echo $?")]
    Start(StartArguments),
    /// End containers: their stop signal, and SIGKILL when that does not help
    #[command(after_help = "Example:\n  bulkhead stop -t 30 db")]
    Stop(StopArguments),
    /// Send containers a signal; KILL, the default, ends them whatever they do
    #[command(after_help = "Examples:\n  bulkhead kill web\n  bulkhead kill -s HUP web")]
    Kill(KillArguments),
    /// Wait until containers end, and print their exit statuses
    #[command(after_help = "Example:\n  bulkhead wait job")]
    Wait(Names),
    /// Run another command in a container
    #[command(
        after_help = "Examples:\n  bulkhead exec -it web sh\n  bulkhead exec -e DEBUG=1 -w /srv web ./check"
    )]
    Exec(exec::ExecArguments),
    /// Show a container's output from now on, and type into it
    #[command(
        after_help = "With a terminal, Ctrl-P Ctrl-Q leaves and lets the container go on.\n\nExample:\n  bulkhead attach web"
    )]
    Attach(AttachArguments),
    /// Let nothing in containers run
    #[command(after_help = "Example:\n  bulkhead pause web")]
    Pause(Names),
    /// Let paused containers go on
    #[command(after_help = "Example:\n  bulkhead unpause web")]
    Unpause(Names),
    /// Show what containers use
    #[command(
        after_help = "Examples:\n  bulkhead stats\n  bulkhead stats --no-stream --format '{{.Name}} {{.MemUsage}}' web"
    )]
    Stats(stats::StatsArguments),
    /// Copy files between a container and this machine
    ///
    /// FOLDER/. stands for what is in a folder. What comes from a container is put at its place when all of it is there: under
    /// the name that was asked for, through no symbolic link, without owners, set-ID bits, devices and pipes; its folders stay
    /// open for their owner.
    #[command(
        after_help = "Examples:\n  bulkhead cp web:/etc/nginx ./nginx\n  bulkhead cp site.conf web:/etc/nginx/conf.d/\n  bulkhead cp web:/var/log - | tar -t\n  bulkhead cp --max-size 100G web:/srv/data/. ./data"
    )]
    Cp(copy::CopyArguments),
    #[command(name = supervisor::COMMAND, hide = true)]
    Supervise { id: String },
}

#[derive(Debug, Args)]
pub struct Names {
    /// Names or IDs
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
}

#[derive(Debug, Args)]
pub struct StartArguments {
    /// Show the container's output, and exit with its status
    #[arg(long, short)]
    pub attach: bool,
    /// Type into it as well
    #[arg(long, short, requires = "attach")]
    pub interactive: bool,
    #[command(flatten)]
    pub names: Names,
}

#[derive(Debug, Args)]
pub struct StopArguments {
    /// How long the container may take before it is killed [default: the container's own, 10]
    #[arg(long, short, visible_alias = "timeout", value_name = "SECONDS")]
    pub time: Option<u32>,
    /// The signal [default: the container's own]
    #[arg(long, short, value_name = "SIGNAL", value_parser = signal::parse)]
    pub signal: Option<u8>,
    #[command(flatten)]
    pub names: Names,
}

#[derive(Debug, Args)]
pub struct KillArguments {
    /// The signal
    #[arg(long, short, value_name = "SIGNAL", default_value = "KILL", value_parser = signal::parse)]
    pub signal: u8,
    #[command(flatten)]
    pub names: Names,
}

#[derive(Debug, Args)]
pub struct AttachArguments {
    /// Only look
    #[arg(long)]
    pub no_stdin: bool,
    /// Its name or ID
    #[arg(value_name = "CONTAINER")]
    pub container: String,
}

/// Do what the command line says; the exit status.
pub fn execute(command: ControlCommand) -> Result<u8, CommandError> {
    let containers = Containers::open_default()?;
    let find = |name: &String| containers.find(name);
    match command {
        ControlCommand::Start(arguments) => start(&containers, &arguments),
        ControlCommand::Stop(StopArguments { time, signal, names }) => each(&names, |name| {
            let container = find(name)?;
            let config = container.config();
            let request = Request::Stop {
                signal: signal.unwrap_or(config.stop_signal),
                timeout: time.unwrap_or(config.stop_timeout),
            };
            match Client::connect(&container) {
                // There is nothing to end.
                Err(SupervisorError::NotRunning) => Ok(()),
                client => Ok(client?.request(&request, &[])?),
            }
        }),
        ControlCommand::Kill(KillArguments { signal, names }) => each(&names, |name| {
            Ok(Client::connect(&find(name)?)?.request(&Request::Signal(signal), &[])?)
        }),
        ControlCommand::Pause(names) => {
            each(&names, |name| Ok(Client::connect(&find(name)?)?.request(&Request::Pause, &[])?))
        }
        ControlCommand::Unpause(names) => {
            each(&names, |name| Ok(Client::connect(&find(name)?)?.request(&Request::Unpause, &[])?))
        }
        ControlCommand::Wait(Names { containers: names }) => {
            for name in &names {
                print(&format!("{}\n", wait(&find(name)?)?))?;
            }
            Ok(0)
        }
        ControlCommand::Attach(AttachArguments { no_stdin, container }) => {
            let container = find(&container)?;
            attach(&container, !no_stdin && container.config().stdin_open)
        }
        ControlCommand::Exec(arguments) => exec::exec(&find(&arguments.container)?, &arguments),
        ControlCommand::Stats(arguments) => stats::stats(&containers, &arguments),
        ControlCommand::Cp(arguments) => copy::copy(&containers, &arguments),
        ControlCommand::Supervise { id } => Ok(supervisor::supervise(find(&id)?)?),
    }
}

/// Does the same to each, prints the names of those to whom it was done, and complains about the others.
pub fn each(
    names: &Names,
    act: impl Fn(&String) -> Result<(), CommandError>,
) -> Result<u8, CommandError> {
    let mut status = 0;
    for name in &names.containers {
        match act(name) {
            Ok(()) => print(&format!("{name}\n"))?,
            Err(error) => {
                status = error.exit_status();
                eprintln!("bulkhead: {name}: {}", error.line());
            }
        }
    }
    Ok(status)
}

fn start(containers: &Containers, arguments: &StartArguments) -> Result<u8, CommandError> {
    let StartArguments { attach: attached, interactive, names } = arguments;
    if !attached {
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
        let message = "start --attach takes one container";
        return Err(CommandError::Usage(message.to_owned()));
    };
    let container = containers.find(name)?;
    let own_input = *interactive && container.config().stdin_open;
    super::run::in_foreground(container, own_input)
}

fn attach(container: &Container, stdin: bool) -> Result<u8, CommandError> {
    let client = Client::connect(container)?;
    let terminal = container.config().terminal;
    match client.session(&Request::Attach { stdin }, stdin, terminal)? {
        End::Exited(status) => Ok(status),
        End::Detached => Ok(0),
    }
}

/// The status of the container's next end, or of its last one when it does not run.
fn wait(container: &Container) -> Result<u8, CommandError> {
    match Client::connect(container) {
        Ok(client) => match client.ask(&Request::Wait, &[])? {
            Reply::Exited(status) => Ok(status),
            _ => Err(SupervisorError::Unexpected.into()),
        },
        Err(SupervisorError::NotRunning) => Ok(container.state()?.exit_code),
        Err(error) => Err(error.into()),
    }
}
