//! The flags.

use std::ffi::OsString;

use clap::error::{ContextKind, ErrorKind};
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};

use crate::commands::Command;
use crate::error::CommandError;
use crate::refused::{refused_command, refused_flag, with_harmless_values};
use crate::switches;

/// Run containers, each inside its own virtual machine
#[derive(Debug, Parser)]
#[command(name = "bulkhead", version, disable_version_flag = true, max_term_width = 100, after_help = EXAMPLES)]
pub struct Arguments {
    /// Print the version
    #[arg(long, short = 'v', visible_short_alias = 'V', action = ArgAction::Version)]
    version: Option<bool>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The end of the help of those commands that take an image.
pub(crate) const EXAMPLES: &str = "\
Examples:
  bulkhead run --rm busybox.tar sh -c 'echo hello from $(uname -r)'
  bulkhead load -i busybox.tar && bulkhead run busybox
  bulkhead run --cpus 2 --memory 512M images.tar#web:1.2
  echo data | bulkhead run -i --rm --env LANG --workdir /srv ./rootfs sort
  bulkhead prepare --out web.json web.tar && bulkhead run --bundle web.json
  bulkhead prepare --out web.json --platform linux/arm64 web.tar     for another machine

IMAGE is a file or directory - an OCI layout, an OCI archive (.tar), a docker archive (docker save), or a plain root
file system, IMAGE#NAME picking one image where there are several - or else the name or ID of an image in the store;
a name that is not there is pulled. Flags go before IMAGE: all that follows it is the command's.

Exit status: the container's own; 128 + n when signal n ended it; 127 and 126 when its command does not exist or
cannot be executed; 2 for wrong usage; 1 for everything else.

Environment: XDG_DATA_HOME (images, else ~/.local/share), XDG_CACHE_HOME (cache, else ~/.cache), XDG_RUNTIME_DIR (files of running VMs, else /run or /tmp),
DOCKER_CONFIG (folder of docker's config.json with registry credentials, else ~/.docker), HTTPS_PROXY and NO_PROXY,
BULKHEAD_MAX_LAYER_SIZE and BULKHEAD_MAX_LAYER_ENTRIES (what one layer may unpack to: 32G, 1000000; all of an image: twice that), RUST_LOG (log).";

/// Read the command line. Help and version are printed here; anything wrong is one line.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, CommandError> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut command = command();
    let parsed = command.try_get_matches_from_mut(&arguments);
    let parsed = parsed.and_then(|matches| {
        Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
    });
    parsed.map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.exit(),
        _ => CommandError::Usage(explain(&error, &arguments)),
    })
}

/// What is read: the definitions of the flags, and what is the same for all of them.
pub(crate) fn command() -> clap::Command {
    with_harmless_values(switches::with_values(Arguments::command()))
}

/// What is wrong with the command line `arguments`, without the usage that clap adds. `cargo xtask` says it likewise.
pub fn explain(error: &clap::Error, arguments: &[OsString]) -> String {
    let flag = || error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
    let first = arguments.get(1).map(|first| first.to_string_lossy()).unwrap_or_default();
    // A flag before any command is bulkhead's own.
    let command = if first.starts_with('-') { "bulkhead" } else { &first };
    // Clap names a switch with its value: `-P[=<BOOL>]`.
    let refused = || {
        let flag = flag();
        let names = flag.split([' ', '[']).next().unwrap_or_default();
        refused_flag(command, names).map(|why| format!("{names}: {why}"))
    };
    match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            "no command: --help lists them".to_owned()
        }
        ErrorKind::MissingRequiredArgument => format!("missing {}", flag()),
        ErrorKind::InvalidSubcommand if let Some(why) = refused_command(&first) => {
            format!("{first}: {why}")
        }
        ErrorKind::UnknownArgument | ErrorKind::ValueValidation
            if let Some(refused) = refused() =>
        {
            refused
        }
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        }
    }
}
