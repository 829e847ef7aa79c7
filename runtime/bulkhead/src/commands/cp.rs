//! `cp`: files between a container and this machine, as a tar on the way.

mod error;
pub(super) mod files;
mod give;
mod interrupt;
mod look;
mod path;
mod stream;
mod summary;
mod take;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::Args;

pub use error::CopyError;

use super::unpack::Budget;
use crate::error::CommandError;
use crate::limits::{COPY_FILES, COPY_SIZE};
use crate::size::parse_size;
use containers::container::{Container, Containers};
use files::Files;
use protocol::archive::Owner;
use summary::Summary;
use take::Source;

/// Copy files between a container and this machine
///
/// FOLDER/. stands for what is in a folder. What is copied goes into TO if that is a folder, or else takes its place or is
/// made: TO/ has to be there unless a folder is copied. If TO is a symbolic link, what it leads to is meant. What comes from a
/// container is put at its place when all of it is there: under the name that was asked for, through no symbolic link below
/// TO, without set-ID bits and devices; its folders stay open for their owner. A tar archive that goes into a container may be
/// compressed with gzip, zstd, xz or bzip2, and keeps its owners.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bulkhead cp web:/etc/nginx ./nginx\n  bulkhead cp site.conf web:/etc/nginx/conf.d/\n  bulkhead cp web:/var/log - | tar -t\n  bulkhead cp --max-size 100G web:/srv/data/. ./data"
)]
pub struct CopyArguments {
    /// Keep owners, by their numbers: on this machine as root only. Otherwise the copy is the user's here, and root's there
    #[arg(long, short)]
    pub archive: bool,
    /// Copy what FROM leads to if it is a symbolic link, under the link's name
    #[arg(long, short = 'L')]
    pub follow_link: bool,
    /// Don't say how much was copied; nothing says so without a terminal either
    #[arg(long, short)]
    pub quiet: bool,
    /// The most bytes that a container may send
    #[arg(long, value_name = "SIZE", default_value = COPY_SIZE, value_parser = parse_size)]
    pub max_size: u64,
    /// The most files, folders and links that it may send
    #[arg(long, value_name = "N", default_value_t = COPY_FILES)]
    pub max_files: u64,
    /// CONTAINER:PATH, a path on this machine, or - for a tar archive on stdin
    #[arg(value_name = "FROM")]
    pub from: OsString,
    /// CONTAINER:PATH, a path on this machine, or - for a tar archive on stdout
    #[arg(value_name = "TO")]
    pub to: OsString,
}

/// One side of a copy.
enum Side {
    /// A path in a container, absolute.
    In(Box<Container>, PathBuf),
    Here(PathBuf),
    Stream,
}

pub fn execute(arguments: &CopyArguments) -> Result<u8, CommandError> {
    let usage = |message: &str| Err(CommandError::Usage(format!("cp: {message}")));
    if arguments.from.is_empty() || arguments.to.is_empty() {
        return usage("FROM and TO are not empty");
    }
    let containers = &Containers::open_default()?;
    let from = side(containers, &arguments.from)?;
    let to = side(containers, &arguments.to)?;
    let follow = arguments.follow_link;
    let summary = Summary::new(&arguments.to, arguments.quiet);
    match (from, to) {
        (Side::In(container, path), Side::Stream) => {
            let source = Source::new(&path);
            Files::reach(container, false)?.apply(|files| {
                let source = if follow { source.follow(files)? } else { source };
                files.take(&source.path, io::stdout().as_fd())
            })
        }
        (Side::Stream, Side::In(container, path)) => {
            Files::reach(container, true)?.apply(|files| give::stream(files, &path))
        }
        (Side::In(container, path), Side::Here(to)) => {
            let budget = Budget { size: arguments.max_size, files: arguments.max_files };
            // As `cp -a` does, which says nothing when it can't.
            let owners = arguments.archive && rustix::process::geteuid().is_root();
            let source = Source::new(&path);
            Files::reach(container, false)?.apply(|files| {
                let source = if follow { source.follow(files)? } else { source };
                take::files(files, &source, &to, budget, owners).map(|size| summary.say(size))
            })
        }
        (Side::Here(from), Side::In(container, path)) => {
            let owner = if arguments.archive { Owner::Source } else { Owner::Root };
            // What is not there needs no VM to be missed.
            let source = give::Source::new(&from, follow)?;
            Files::reach(container, true)?.apply(|files| {
                give::files(files, &source, &path, owner).map(|size| summary.say(size))
            })
        }
        (Side::In(..), Side::In(..)) => {
            return usage("not from one container to another: copy to this machine in between");
        }
        _ => return usage("one of FROM and TO is CONTAINER:PATH, the other a path or -"),
    }?;
    Ok(0)
}

/// As docker tells them apart: what starts with a dot or a slash is a path of this machine.
fn side(containers: &Containers, text: &OsStr) -> Result<Side, CommandError> {
    let bytes = text.as_bytes();
    if bytes == b"-" {
        return Ok(Side::Stream);
    }
    let colon = bytes.iter().position(|&byte| byte == b':');
    match colon {
        Some(at) if !bytes.starts_with(b"/") && !bytes.starts_with(b".") => {
            let container = containers.find(&String::from_utf8_lossy(&bytes[..at]))?;
            let path = path::in_container(OsStr::from_bytes(&bytes[at + 1..]));
            Ok(Side::In(Box::new(container), path))
        }
        _ => Ok(Side::Here(text.into())),
    }
}
