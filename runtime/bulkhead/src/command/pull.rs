//! `pull`, and when `run` does the same.

use clap::builder::{EnumValueParser, TypedValueParser};
use clap::{ArgAction, Args, ValueEnum};

use super::error::CommandError;
use super::limits::limits;
use host::platform::Platform;
use images::registry::{self, Options, Pulled};
use images::store::{ImageStore, Name};

#[derive(Debug, Args)]
pub struct PullArguments {
    /// What to pull
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub name: String,
    /// Which image to take of those for several platforms [default: the one that this machine runs]
    #[arg(long, value_parser = platform(), default_value_t = Platform::NATIVE, hide_default_value = true)]
    pub platform: Platform,
    /// Print the ID alone, and show no progress
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

/// The name of a platform, in docker's words.
#[derive(Clone, Copy, ValueEnum)]
enum PlatformName {
    /// x86_64.
    #[value(name = "linux/amd64")]
    Amd64,
    /// aarch64.
    #[value(name = "linux/arm64")]
    Arm64,
}

/// Reads a platform.
pub fn platform() -> impl TypedValueParser<Value = Platform> {
    EnumValueParser::<PlatformName>::new().map(|name| match name {
        PlatformName::Amd64 => Platform::Amd64,
        PlatformName::Arm64 => Platform::Arm64,
    })
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

/// Pull an image; the text to print.
pub fn execute(store: &ImageStore, arguments: &PullArguments) -> Result<String, CommandError> {
    let PullArguments { name, platform, quiet, tls_verify } = arguments;
    let name = Name::parse(name)?;
    let limits = limits(|name| std::env::var(name).ok())?;
    let options = Options { platform: *platform, tls_verify: *tls_verify, quiet: *quiet, limits };
    let Pulled { digest, id } = registry::pull(&store.session()?, &name, &options)?;
    Ok(match (quiet, name.tag()) {
        (true, _) => format!("{id}\n"),
        (false, Some(_)) => format!("{name}@{digest}\n"),
        (false, None) => format!("{name}\n"),
    })
}
