//! `completions`: what completes commands and flags in a shell, from the definitions of the flags themselves.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::error::CommandError;
use crate::output::print;

/// Print what completes commands and flags in a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bulkhead completions bash > ~/.local/share/bash-completion/completions/bulkhead\n  bulkhead completions fish > ~/.config/fish/completions/bulkhead.fish\n  bulkhead completions zsh > /usr/local/share/zsh/site-functions/_bulkhead"
)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Prints what the shell reads.
pub fn execute(arguments: &CompletionsArguments) -> Result<u8, CommandError> {
    let all = Arguments::command();
    // clap_complete would show what is hidden.
    let visible = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut visible = clap::Command::new("bulkhead").version("").subcommands(visible);
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut visible, "bulkhead", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
