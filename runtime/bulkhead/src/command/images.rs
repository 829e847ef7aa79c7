//! Commands on images in the store.

mod list;
mod prune;

use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::error::CommandError;
use super::limits::limits;
use super::output::print;
use super::pull::{self, PullArguments};
use super::template::Template;
use host::cache::Cache;
use host::platform::Platform;
use images::store::{self, ImageStore, Name};

#[derive(Debug, Subcommand)]
pub enum ImagesCommand {
    /// List images
    #[command(
        after_help = "Example:\n  bulkhead images --format '{{.Repository}}:{{.Tag}} {{.ID}}'"
    )]
    Images(ListArguments),
    /// Load images from an archive (docker save, podman save, an OCI layout in a tar)
    #[command(
        after_help = "Examples:\n  bulkhead load -i images.tar\n  docker save busybox | bulkhead load"
    )]
    Load(LoadArguments),
    /// Pull an image from its registry
    #[command(
        after_help = "Examples:\n  bulkhead pull busybox\n  bulkhead pull --platform linux/arm64 registry.example/web:1.2\n  bulkhead pull --tls-verify=false localhost:5000/mine"
    )]
    Pull(PullArguments),
    /// Save images to an archive that docker, podman and skopeo read
    #[command(
        after_help = "Examples:\n  bulkhead save -o images.tar busybox web:1.2\n  bulkhead save busybox | docker load"
    )]
    Save(SaveArguments),
    /// Give an image another name
    #[command(after_help = "Example:\n  bulkhead tag busybox localhost/mine:1")]
    Tag(TagArguments),
    /// Remove names, and images with their last name
    #[command(after_help = "Example:\n  bulkhead rmi web:1.2 8f3a")]
    Rmi(RemoveArguments),
    /// Remove images that have no name, and whatever else no image and no container needs
    #[command(after_help = "Examples:\n  bulkhead prune\n  bulkhead prune --containers")]
    Prune(PruneArguments),
    /// Show everything about containers or images, as JSON
    #[command(
        after_help = "A container's name or ID goes before an image's.\n\nExamples:\n  bulkhead inspect web busybox\n  bulkhead inspect --format '{{.Config.Env}}' busybox"
    )]
    Inspect(InspectArguments),
}

#[derive(Debug, Args)]
pub struct ListArguments {
    /// Only images of this repository, or of this name and tag
    #[arg(value_name = "NAME[:TAG]")]
    pub name: Option<String>,
    /// Print IDs alone
    #[arg(long, short)]
    pub quiet: bool,
    /// Print whole IDs
    #[arg(long)]
    pub no_trunc: bool,
    /// Show the digests of manifests
    #[arg(long)]
    pub digests: bool,
    /// Print each image so: json, or text with fields like {{.ID}}
    #[arg(long, value_name = "FORMAT", value_parser = Template::parse, conflicts_with = "quiet")]
    pub format: Option<Template>,
}

#[derive(Debug, Args)]
pub struct LoadArguments {
    /// Read the archive from FILE instead of stdin
    #[arg(long, short, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Print IDs alone
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct SaveArguments {
    /// Write the archive to FILE instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::DockerArchive)]
    pub format: Format,
    /// Names or IDs
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<String>,
}

/// What an archive is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// What `docker save` writes: configurations, and layers as plain tars.
    #[default]
    DockerArchive,
    /// A tar of an OCI image layout.
    OciArchive,
}

impl From<Format> for store::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::DockerArchive => Self::DockerArchive,
            Format::OciArchive => Self::OciArchive,
        }
    }
}

#[derive(Debug, Args)]
pub struct TagArguments {
    /// Its name or ID
    #[arg(value_name = "IMAGE")]
    pub image: String,
    /// The new name
    #[arg(value_name = "NAME[:TAG]")]
    pub name: String,
}

#[derive(Debug, Args)]
pub struct RemoveArguments {
    /// Remove all names of an image given by its ID
    #[arg(long, short)]
    pub force: bool,
    /// Names or IDs
    #[arg(value_name = "IMAGE", required = true)]
    pub images: Vec<String>,
}

#[derive(Debug, Args)]
pub struct PruneArguments {
    /// First remove all containers that don't run, with what they have written
    #[arg(long)]
    pub containers: bool,
}

#[derive(Debug, Args)]
pub struct InspectArguments {
    /// Print each image so: json, or text with fields like {{.Id}}
    #[arg(long, short, value_name = "FORMAT", value_parser = Template::parse)]
    pub format: Option<Template>,
    /// Names or IDs
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
}

/// Do what the command line says; the exit status.
pub fn execute(command: ImagesCommand) -> Result<u8, CommandError> {
    let store = ImageStore::open_default()?;
    let text = match command {
        ImagesCommand::Images(arguments) => list::list(&store, &arguments)?,
        ImagesCommand::Load(arguments) => load(&store, &arguments)?,
        ImagesCommand::Pull(arguments) => pull::execute(&store, &arguments)?,
        ImagesCommand::Save(arguments) => save(&store, &arguments)?,
        ImagesCommand::Tag(arguments) => {
            store.tag(&arguments.image, &tag_name(&arguments.name)?)?;
            String::new()
        }
        ImagesCommand::Rmi(arguments) => return remove(&store, &arguments),
        ImagesCommand::Prune(arguments) => return prune::prune(&store, &arguments),
        ImagesCommand::Inspect(arguments) => list::inspect(&store, &arguments)?,
    };
    print(&text)?;
    Ok(0)
}

fn tag_name(text: &str) -> Result<Name, CommandError> {
    let name = Name::parse(text)?;
    if name.tag().is_none() {
        let text = text.escape_debug();
        return Err(CommandError::Usage(format!("'{text}': a new name has a tag, not a digest")));
    }
    Ok(name)
}

fn load(store: &ImageStore, arguments: &LoadArguments) -> Result<String, CommandError> {
    let limits = limits(|name| std::env::var(name).ok())?;
    let path = arguments.input.as_deref().unwrap_or(Path::new("stdin"));
    let unread = |source| CommandError::ReadFile { path: path.to_owned(), source };
    let mut archive = match &arguments.input {
        Some(path) => File::open(path).map_err(unread)?,
        None if io::stdin().is_terminal() => {
            let message =
                "an archive is read from stdin, which is a terminal: give one with -i FILE";
            return Err(CommandError::Usage(message.to_owned()));
        }
        None => own(&io::stdin()).map_err(unread)?,
    };
    let cache = Cache::open_default()?;
    let loaded =
        store::load(store, &cache, path, &mut archive, Platform::NATIVE, limits, &prune::in_use)?;
    let mut text = String::new();
    for image in loaded {
        if arguments.quiet {
            text += &format!("{}\n", image.id);
        } else if image.names.is_empty() {
            text += &format!("Loaded image ID: {}\n", image.id);
        }
        for name in image.names.iter().filter(|_| !arguments.quiet) {
            text += &format!("Loaded image: {}\n", name.short());
        }
    }
    Ok(text)
}

/// A file is written aside, and has its name only when it is whole; a pipe or a device is written as it is.
fn save(store: &ImageStore, arguments: &SaveArguments) -> Result<String, CommandError> {
    let limits = limits(|name| std::env::var(name).ok())?;
    let SaveArguments { output, format, images } = arguments;
    let write = |out: &File| -> Result<(), CommandError> {
        Ok(store::save(store, images, (*format).into(), limits, io::BufWriter::new(out))?)
    };
    match output {
        Some(path) => {
            let failed = |source| CommandError::WriteFile { path: path.clone(), source };
            if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
                write(&File::options().write(true).open(path).map_err(failed)?)?;
                return Ok(String::new());
            }
            let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let aside = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")));
            let aside = aside.map_err(failed)?;
            write(aside.as_file())?;
            aside.persist(path).map_err(|error| failed(error.error))?;
        }
        None if io::stdout().is_terminal() => {
            let message =
                "the archive goes to stdout, which is a terminal: name a file with -o FILE";
            return Err(CommandError::Usage(message.to_owned()));
        }
        None => write(&own(&io::stdout()).map_err(CommandError::Output)?)?,
    }
    Ok(String::new())
}

/// A standard stream as a file, without the buffer that it has by itself.
fn own(stream: &impl AsFd) -> io::Result<File> {
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

/// What went before an error is said all the same.
fn remove(store: &ImageStore, arguments: &RemoveArguments) -> Result<u8, CommandError> {
    for image in &arguments.images {
        let removed = store.remove(image, arguments.force, &prune::in_use)?;
        let mut text = String::new();
        for name in &removed.names {
            text += &format!("Untagged: {}\n", name.short());
        }
        if let Some(id) = removed.image {
            text += &format!("Deleted: {id}\n");
        }
        print(&text)?;
    }
    Ok(0)
}
