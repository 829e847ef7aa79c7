//! `create` and `run`: a new container, and its start in the foreground or not.

use clap::Args;

use super::error::CommandError;
use super::flags::Flags;
use super::life::Life;
use super::output::print;
use super::prepare::{Prepared, prepare};
use containers::container::{self, Config, Container, ContainerError, Containers, Id, ImageName};
use containers::conversation::{Signals, Stdio};
use containers::supervisor::{self, Folders, Foreground, Supervisor, SupervisorError};
use containers::vm::VmError;
use host::cache;
use host::platform::Platform;
use host::program;
use host::terminal::{self, Raw};

#[derive(Debug, Args)]
pub struct CreateArguments {
    #[command(flatten)]
    pub flags: Flags,
    #[command(flatten)]
    pub life: Life,
}

/// The size of the disk for what a container writes that stays when it has ended. It takes only what is written.
const KEPT: u64 = 16 << 30;

/// Makes a container.
fn new(flags: &Flags, life: &Life) -> Result<Container, CommandError> {
    life.check()?;
    let (own_labels, log) = (life.labels()?, life.log()?);
    let Prepared { mut plan, stop_signal, mut labels, stored } =
        prepare(flags, Platform::NATIVE, program::guest_init)?;
    if plan.vm.scratch.is_none() && !life.rm && !plan.container.setting.read_only {
        plan.vm.scratch = Some(KEPT);
    }
    labels.extend(own_labels);
    let image = flags.image().unwrap_or_default().to_string_lossy().into_owned();
    let config = Config {
        id: Id::random().map_err(ContainerError::Random)?,
        name: life.name.clone().unwrap_or_default(),
        created: container::now(),
        image: ImageName { name: image, manifest: stored.as_ref().map(|(_, digest)| *digest) },
        plan,
        terminal: life.tty,
        stdin_open: life.interactive,
        auto_remove: life.rm,
        restart: life.restart,
        stop_signal: life.stop_signal.unwrap_or(stop_signal),
        stop_timeout: life.stop_timeout,
        labels,
        log,
    };
    // The session in `stored` keeps the image until the container does.
    Ok(Containers::open_default()?.create(config)?)
}

/// `create`: prints the ID.
pub fn create(arguments: &CreateArguments) -> Result<u8, CommandError> {
    let container = new(&arguments.flags, &arguments.life)?;
    print(&format!("{}\n", container.id()))?;
    Ok(0)
}

/// `run`: the container's exit status; in the background, prints the ID.
pub fn run(flags: &Flags, life: &Life, detach: bool) -> Result<u8, CommandError> {
    let container = new(flags, life)?;
    if detach {
        supervisor::start(&container)?;
        print(&format!("{}\n", container.id()))?;
        return Ok(0);
    }
    in_foreground(container, life.interactive)
}

/// Where this user's containers find what they need.
pub fn folders() -> Result<Folders, CommandError> {
    Ok(Folders { containers: Containers::open_default()?, cache: cache::folder().ok() })
}

/// Runs it as long as it lives, with this process's streams; its exit status.
pub fn in_foreground(container: Container, own_input: bool) -> Result<u8, CommandError> {
    let typed = own_input && container.config().terminal && terminal::is_typed_in();
    let size = terminal::size();
    let supervisor = Supervisor::new(container, folders()?)?;
    // From here on a signal is the container's, not ours.
    let signals = Signals::catch().map_err(VmError::Signals)?;
    let mut stdio = Stdio::inherit().map_err(VmError::Stdio)?;
    if !own_input {
        stdio.stdin = None;
    }
    let raw = typed.then(Raw::enter).transpose().map_err(SupervisorError::Terminal)?;
    let exit = supervisor.run(Some(Foreground { stdio, size, signals }), || ());
    drop(raw);
    let exit = exit?;
    if exit.out_of_memory {
        eprintln!(
            "bulkhead: the container ran out of memory, and a process of it was killed: -m gives it more"
        );
    }
    Ok(exit.status.exit_code())
}
