//! `bulkhead-vmm`: one process, one VM.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use bulkhead_hypervisor::cli::{self, Command, Options};
use bulkhead_hypervisor::config::Config;
use bulkhead_hypervisor::error::VmmError;
use bulkhead_hypervisor::logging;
use bulkhead_hypervisor::machine::{End, Machine};
use bulkhead_hypervisor::stop::Stop;

fn main() -> ExitCode {
    match cli::parse(lexopt::Parser::from_env()) {
        Ok(Command::Run(options)) => run(options),
        Ok(Command::Probe) => {
            print(io::stdout(), &format!("kvm: {}\n", bulkhead_hypervisor::probe::probe()));
            ExitCode::SUCCESS
        }
        Ok(Command::Help) => {
            print(io::stdout(), cli::HELP);
            ExitCode::SUCCESS
        }
        Ok(Command::Version) => {
            print(io::stdout(), concat!("bulkhead-vmm ", env!("CARGO_PKG_VERSION"), "\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            print_to_stderr(&error);
            ExitCode::from(2)
        }
    }
}

fn run(options: Options) -> ExitCode {
    let result = start(&options);
    if let Some(folder) = &options.runtime_dir {
        remove(folder);
    }
    match result {
        Ok(end) => {
            report(&end, options.stats);
            match end.stop {
                Stop::Failure(reason) => {
                    print_to_stderr(&reason);
                    ExitCode::FAILURE
                }
                _ => ExitCode::SUCCESS,
            }
        }
        Err(error) => {
            print_to_stderr(&error);
            ExitCode::from(error.exit_status())
        }
    }
}

fn start(options: &Options) -> Result<End, VmmError> {
    let config = Config::load(&options.config_file)?;
    logging::start(&config.logger, options.id.clone())?;
    // To remove a name is what no filter allows: as long as this process has to, it goes without.
    let filtered = options.runtime_dir.is_none() && config.vsock.is_none();
    Machine::build(&config)?.run(filtered)
}

/// The figures that a benchmark reads.
fn report(end: &End, print: bool) {
    let (exits, loaded) = (&end.exits, &end.loaded);
    let figures = format!("{exits} bytes_mapped={} bytes_copied={}", loaded.mapped, loaded.copied);
    log::info!("{}; {figures}", end.stop);
    if print {
        print_to_stderr(&format_args!("stats: {figures}"));
    }
}

/// Removes the VM's private folder. Whoever started us may have done so already.
fn remove(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            print_to_stderr(&format_args!(
                "{}: cannot remove the runtime folder: {error}",
                folder.display()
            ));
        }
        _ => {}
    }
}

/// One line on stderr.
fn print_to_stderr(what: &dyn Display) {
    print(io::stderr(), &format!("bulkhead-vmm: {what}\n"));
}

/// Unlike `println!`, does not mind if nobody listens any more.
fn print(mut to: impl Write, text: &str) {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
