//! `version`: which this is.

use clap::Args;
use serde_json::json;

use crate::error::CommandError;
use crate::output::print;
use crate::template::Template;
use host::platform::Platform;

/// Print the version
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bulkhead version\n  bulkhead version --format '{{.Version}}'")]
pub struct VersionArguments {
    /// Print it so: json, or text with fields like {{.Version}}
    #[arg(long, short, value_name = "FORMAT", value_parser = Template::parse)]
    pub format: Option<Template>,
}

/// Prints it.
pub fn execute(arguments: &VersionArguments) -> Result<u8, CommandError> {
    // As there is no daemon, both of docker's halves are this one.
    let half = json!({
        "Version": env!("CARGO_PKG_VERSION"),
        "Os": "linux",
        "Arch": Platform::NATIVE.to_string().trim_start_matches("linux/"),
    });
    let fields = json!({
        "Client": half,
        "Server": half,
        "Version": env!("CARGO_PKG_VERSION"),
        "Protocol": protocol::VERSION,
        "Platform": Platform::NATIVE.to_string(),
    });
    match &arguments.format {
        Some(format) if !format.is_usual() => print(&format.line(&fields)?)?,
        _ => {
            let version = env!("CARGO_PKG_VERSION");
            let (protocol, platform) = (protocol::VERSION, Platform::NATIVE);
            print(&format!(
                "Version: {version}\nGuest protocol: {protocol}\nPlatform: {platform}\n"
            ))?;
        }
    }
    Ok(0)
}
