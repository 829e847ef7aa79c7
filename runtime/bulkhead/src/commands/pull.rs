//! `pull`, and when `run` does the same.

use clap::{ArgAction, Args, ValueEnum};

use crate::error::CommandError;
use crate::limits::limits;
use crate::output::print;
use crate::platforms::platform;
use host::platform::Platform;
use images::registry::{self, Options, Pulled};
use images::store::{ImageStore, Name};

/// Pull an image from its registry
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bulkhead pull busybox\n  bulkhead pull --platform linux/arm64 registry.example/web:1.2\n  bulkhead pull --tls-verify=false localhost:5000/mine"
)]
pub struct PullArguments {
    /// What to pull
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub name: String,
    /// Which image to take of those for several platforms [default: the one that this machine runs]
    #[arg(long, value_parser = platform(), default_value_t = Platform::NATIVE, hide_default_value = true)]
    pub platform: Platform,
    /// Print the name alone, and show no progress
    #[arg(long, short)]
    pub quiet: bool,
    /// Whether to check the registry's certificate; false also allows HTTP, and only for a registry on this machine
    #[arg(
        long,
        value_name = "BOOL",
        default_value_t = true,
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        action = ArgAction::Set
    )]
    pub tls_verify: bool,
}

/// When to pull an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PullPolicy {
    /// When the store does not have it.
    #[default]
    Missing,
    /// Each time.
    Always,
    /// Not at all.
    Never,
}

/// Pulls the image, and prints its digest and its name.
pub fn execute(arguments: &PullArguments) -> Result<u8, CommandError> {
    let store = ImageStore::open_default()?;
    let PullArguments { name, platform, quiet, tls_verify } = arguments;
    let name = Name::parse(name)?;
    let limits = limits(|name| std::env::var(name).ok())?;
    let options = Options { platform: *platform, tls_verify: *tls_verify, quiet: *quiet, limits };
    let Pulled { digest, .. } = registry::pull(&store.session()?, &name, &options)?;
    // Docker's last line: the name in full.
    let digest = if *quiet { String::new() } else { format!("Digest: {digest}\n") };
    print(&format!("{digest}{name}\n"))?;
    Ok(0)
}
