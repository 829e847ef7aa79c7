//! Commands about the command and the machine that it is on.

mod check;
mod documents;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;
use serde_json::json;

use super::error::CommandError;
use super::output::print;
use super::template::Template;
use host::platform::Platform;

#[derive(Debug, Subcommand)]
pub enum AboutCommand {
    /// Say what this machine has for containers, and how to get what it lacks
    #[command(
        after_help = "The exit status is 1 where containers can't run.\n\nExample:\n  bulkhead check"
    )]
    Check,
    /// Print the version
    #[command(
        after_help = "Examples:\n  bulkhead version\n  bulkhead version --format '{{.Version}}'"
    )]
    Version(VersionArguments),
    /// Print what completes commands and flags in a shell
    #[command(
        after_help = "Examples:\n  bulkhead completions bash > ~/.local/share/bash-completion/completions/bulkhead\n  bulkhead completions fish > ~/.config/fish/completions/bulkhead.fish\n  bulkhead completions zsh > /usr/local/share/zsh/site-functions/_bulkhead"
    )]
    Completions(CompletionsArguments),
    /// Write a manual page for each command
    #[command(after_help = "Example:\n  bulkhead man ~/.local/share/man/man1 && man bulkhead-run")]
    Man(ManArguments),
}

#[derive(Debug, Args)]
pub struct VersionArguments {
    /// Print it so: json, or text with fields like {{.Version}}
    #[arg(long, short, value_name = "FORMAT", value_parser = Template::parse)]
    pub format: Option<Template>,
}

#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct ManArguments {
    /// The folder for the pages; made if it is not there
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// Does it; the exit status. `all` is what there is to document.
pub fn execute(command: AboutCommand, all: clap::Command) -> Result<u8, CommandError> {
    match command {
        AboutCommand::Check => check::check(),
        AboutCommand::Version(arguments) => version(arguments.format.as_ref()),
        AboutCommand::Completions(arguments) => documents::completions(&all, arguments.shell),
        AboutCommand::Man(arguments) => documents::man(all, &arguments.folder),
    }
}

fn version(format: Option<&Template>) -> Result<u8, CommandError> {
    let fields = json!({
        "Version": env!("CARGO_PKG_VERSION"),
        "Protocol": protocol::VERSION,
        "Platform": Platform::NATIVE.to_string(),
    });
    match format {
        Some(format) => print(&format.line(&fields)?)?,
        None => {
            let version = env!("CARGO_PKG_VERSION");
            let (protocol, platform) = (protocol::VERSION, Platform::NATIVE);
            print(&format!(
                "Version: {version}\nGuest protocol: {protocol}\nPlatform: {platform}\n"
            ))?;
        }
    }
    Ok(0)
}
