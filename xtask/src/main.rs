//! Build, fetch, run, test and bench: the only entry point a person needs.

mod cache;
mod error;
mod host;
mod kernel;
mod needs;
mod tool;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, run and test Bulkhead: containers, each in a microVM of its own
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Host(host::cli::HostArgs),
    #[command(name = host::AGENT_COMMAND, hide = true)]
    HostAgent,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Host(arguments) => arguments.run(),
        Command::HostAgent => host::agent::run(),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(error.exit_status())
        }
    }
}
