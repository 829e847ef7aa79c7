//! `create`: a new container, which waits for its start.

use clap::Args;

use crate::error::CommandError;
use crate::flags::Flags;
use crate::id_file::IdFile;
use crate::life::Life;
use crate::network::wishes;
use crate::output::print;
use crate::prepare::{Prepared, prepare};
use crate::process::said;
use crate::uid_base::check_right;
use containers::container::{self, Config, Container, ContainerError, Containers, Id, ImageName};
use containers::network_names::{Attachment, Kept, Networks, Wish, check};
use containers::supervisor::KEPT;
use host::platform::Platform;
use host::program;

/// Make a container without starting it
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bulkhead create --name job busybox date && bulkhead start -a job",
    disable_help_flag = true
)]
pub struct CreateArguments {
    #[command(flatten)]
    pub flags: Flags,
    #[command(flatten)]
    pub life: Life,
}

/// Prints the ID.
pub fn execute(arguments: &CreateArguments) -> Result<u8, CommandError> {
    let container = create(&arguments.flags, &arguments.life)?;
    print(&format!("{}\n", container.id()))?;
    Ok(0)
}

/// Makes a container.
pub fn create(flags: &Flags, life: &Life) -> Result<Container, CommandError> {
    life.check()?;
    if let Some(base) = flags.uid_base {
        check_right(base)?;
    }
    let note = life.cidfile.as_deref().map(IdFile::create).transpose()?;
    let (own_labels, log) = (life.labels()?, life.log()?);
    let wishes = wishes(flags)?;
    // What is wrong with them is said before anything large is pulled.
    drop(resolve(&wishes)?);
    let Prepared { mut plan, entrypoint, stop_signal, mut labels, stored } =
        prepare(flags, Platform::NATIVE, program::guest_init)?;
    if plan.vm.scratch.is_none() && !life.rm && !plan.container.setting.read_only {
        plan.vm.scratch = Some(KEPT);
    }
    labels.extend(own_labels);
    let id = Id::random().map_err(ContainerError::Random)?;
    if said(flags.hostname.as_deref()).is_none() {
        plan.container.setting.hostname = id.short().into();
    }
    // They stay until the container says that it is on them.
    let (networks, _kept) = resolve(&wishes)?;
    let name = life.name.as_deref().unwrap_or_default();
    let image = flags.image().unwrap_or_default().to_string_lossy().into_owned();
    let config = Config {
        id,
        // Docker's own names begin so, where a program is told of them (moby `daemon.reserveName`).
        name: name.strip_prefix('/').unwrap_or(name).to_owned(),
        created: container::now(),
        image: ImageName { name: image, manifest: stored.as_ref().map(|(_, digest)| *digest) },
        plan,
        entrypoint,
        terminal: life.tty,
        stdin_open: life.interactive,
        auto_remove: life.rm,
        restart: life.restart,
        stop_signal: life.stop_signal.unwrap_or(stop_signal),
        stop_timeout: life.stop_timeout,
        labels,
        log,
        networks,
    };
    // The session in `stored` keeps the image until the container does.
    let container = Containers::open_default()?.create(config)?;
    if let Some(note) = note {
        note.keep(container.id().as_str())?;
    }
    Ok(container)
}

/// The networks that are wished for.
fn resolve(wishes: &[Wish]) -> Result<(Vec<Attachment>, Option<Kept>), CommandError> {
    if wishes.is_empty() {
        return Ok((Vec::new(), None));
    }
    check()?;
    let (networks, kept) = Networks::open_default()?.resolve(wishes)?;
    Ok((networks, Some(kept)))
}
