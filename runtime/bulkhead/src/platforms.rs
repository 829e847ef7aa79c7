//! Platforms on the command line.

use clap::ValueEnum;
use clap::builder::{EnumValueParser, TypedValueParser};

use host::platform::Platform;

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
