//! `prepare`: a plan for a container, to be run later.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::arguments::EXAMPLES;
use crate::error::CommandError;
use crate::flags::Flags;
use crate::network::wishes;
use crate::platforms::platform;
use crate::prepare::prepare;
use containers::network_names::Wish;
use host::platform::Platform;
use host::program;

/// Prepare a container and write down how to run it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true)]
pub struct PrepareArguments {
    #[command(flatten)]
    pub flags: Flags,
    /// What its machine runs [default: what this one does]
    #[arg(long, value_parser = platform(), default_value_t = Platform::NATIVE, hide_default_value = true)]
    pub platform: Platform,
    /// Where to write the bundle
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The image where none is named, for `cargo xtask run`
    #[arg(long, value_name = "IMAGE", hide = true)]
    pub default_image: Option<OsString>,
}

/// Writes the plan.
pub fn execute(arguments: &PrepareArguments) -> Result<u8, CommandError> {
    let PrepareArguments { flags, platform, default_image, .. } = arguments;
    let mut flags = flags.clone();
    if let (None, Some(image)) = (flags.image(), default_image) {
        flags.set_image(image.clone());
    }
    if let Some(Wish { network, .. }) = wishes(&flags)?.first() {
        let message = format!(
            "--network {network}: a bundle is on no network that has a name: give none or user"
        );
        return Err(CommandError::Usage(message));
    }
    let plan = prepare(&flags, *platform, program::guest_init)?.plan;
    let failed = |source| CommandError::WritePlan { path: arguments.out.clone(), source };
    let text = serde_json::to_vec_pretty(&plan).map_err(|error| failed(error.into()))?;
    write_private(&arguments.out, &text).map_err(failed)?;
    Ok(0)
}

/// Writes a file that only its owner can read, whoever could read what was there; a pipe or a device is written as it is.
fn write_private(path: &Path, text: &[u8]) -> io::Result<()> {
    // What is in it is taken away when nobody else can read it any more.
    let mut options = File::options();
    let mut file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.set_len(0)?;
    }
    file.write_all(text)
}
