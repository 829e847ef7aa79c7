//! Build, fetch, run, test and bench: the only entry point a person needs.

mod arch;
mod bench;
mod build;
mod cache;
mod cargo;
mod check;
mod error;
mod fuzz;
mod host;
mod kernel;
mod needs;
mod progress;
mod readable;
mod run;
mod soak;
mod test;
mod tool;
mod toolchain;
mod watchdog;

use std::process::ExitCode;

use clap::error::{ContextKind, ErrorKind};
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
    Run(Box<run::RunArgs>),
    /// Say what this machine can do, and how to get what it lacks
    Check,
    Test(test::TestArgs),
    Bench(bench::BenchArgs),
    Soak(Box<soak::SoakArgs>),
    Fuzz(fuzz::FuzzArgs),
    Kernel(kernel::cli::KernelArgs),
    Host(host::cli::HostArgs),
    Build(build::BuildArgs),
    Demo(run::DemoArgs),
    #[command(name = host::AGENT_COMMAND, hide = true)]
    HostAgent,
    #[command(name = run::bare::INNER_COMMAND, hide = true)]
    BareGuest(run::bare::InnerArgs),
    #[command(name = bench::INNER_COMMAND, hide = true)]
    BenchInside(bench::InnerArgs),
    #[command(name = soak::inside::INNER_COMMAND, hide = true)]
    SoakInside(soak::inside::InnerArgs),
    #[command(name = test::syscalls::INNER_COMMAND, hide = true)]
    SyscallsInside(test::syscalls::InnerArgs),
    #[command(name = soak::lives::inside::INNER_COMMAND, hide = true)]
    LivesInside(soak::lives::inside::InnerArgs),
}

fn main() -> ExitCode {
    tool::own_path();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let result = match arguments.command {
        Command::Run(arguments) => arguments.run(),
        Command::Check => check::run(),
        Command::Test(arguments) => arguments.run(),
        Command::Bench(arguments) => arguments.run(),
        Command::Soak(arguments) => arguments.run(),
        Command::Fuzz(arguments) => arguments.run(),
        Command::Kernel(arguments) => arguments.run(),
        Command::Host(arguments) => arguments.run(),
        Command::Build(arguments) => arguments.run(),
        Command::Demo(arguments) => arguments.run(),
        Command::HostAgent => host::agent::run(),
        Command::BareGuest(arguments) => arguments.run(),
        Command::BenchInside(arguments) => arguments.run(),
        Command::SoakInside(arguments) => arguments.run(),
        Command::SyscallsInside(arguments) => arguments.run(),
        Command::LivesInside(arguments) => arguments.run(),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(error.exit_status())
        }
    }
}

/// Help goes to stdout; what is wrong with the command line is one line on stderr.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        error.exit();
    }
    let text = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            "no command: --help lists them".to_owned()
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = error.get(ContextKind::InvalidArg).map(ToString::to_string);
            format!("missing {}", missing.unwrap_or_default())
        }
        // Without the usage that clap adds.
        _ => error.to_string().lines().next().unwrap_or_default().replacen("error: ", "", 1),
    };
    eprintln!("xtask: {text} (try --help)");
    ExitCode::from(2)
}
