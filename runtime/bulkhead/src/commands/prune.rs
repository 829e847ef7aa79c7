//! `prune`: what nobody needs any more.

use std::error::Error;
use std::fs;
use std::os::unix::fs::MetadataExt;

use clap::Args;

use crate::error::CommandError;
use crate::output::print;
use crate::size::show_size;
use containers::container::{Container, ContainerError, Containers};
use host::digest::Digest;
use images::store::ImageStore;

/// Remove images that have no name, and whatever else no image and no container needs
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bulkhead prune\n  bulkhead prune --containers")]
pub struct PruneArguments {
    /// First remove all containers that don't run, with what they have written
    #[arg(long)]
    pub containers: bool,
    /// Don't ask: it never does
    #[arg(long, short)]
    pub force: bool,
}

/// The manifests of the images that containers need.
pub fn in_use() -> Result<Vec<Digest>, Box<dyn Error + Send + Sync>> {
    Ok(Containers::open_default()?.manifests()?)
}

/// Removes it, and says what it was.
pub fn execute(arguments: &PruneArguments) -> Result<u8, CommandError> {
    let store = ImageStore::open_default()?;
    let mut bytes = if arguments.containers { prune_containers()? } else { 0 };
    let pruned = store.prune(&in_use)?;
    let mut text = String::new();
    for id in &pruned.images {
        text += &format!("Deleted: {id}\n");
    }
    bytes += pruned.bytes;
    print(&(text + &format!("Total reclaimed space: {}\n", show_size(bytes))))?;
    Ok(0)
}

/// Removes containers that don't run; how many bytes of the disk they had.
fn prune_containers() -> Result<u64, CommandError> {
    let containers = Containers::open_default()?;
    let mut bytes = 0;
    for container in containers.list()? {
        let tenure = match container.tenure() {
            Ok(tenure) => tenure,
            Err(ContainerError::Running(_) | ContainerError::NotFound(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let size = size(&container);
        containers.remove(&container, tenure)?;
        print(&format!("Deleted container: {}\n", container.id()))?;
        bytes += size;
    }
    Ok(bytes)
}

/// Its files' bytes on the disk: the one with what it has written has holes.
fn size(container: &Container) -> u64 {
    let entries = fs::read_dir(container.folder()).into_iter().flatten().flatten();
    // stat(2): `st_blocks` are of 512 bytes.
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.blocks() * 512).sum()
}
