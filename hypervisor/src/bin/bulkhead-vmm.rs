//! `bulkhead-vmm`: one process, one VM.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitCode;

use bulkhead_hypervisor::cli::{self, Command, Options};
use bulkhead_hypervisor::config::Config;
use bulkhead_hypervisor::error::VmmError;
use bulkhead_hypervisor::jail::{self, Ended, Hearing, Inside, JailError, Lack, Side, Wanted};
use bulkhead_hypervisor::logging;
use bulkhead_hypervisor::machine::{End, Machine, Opened};
use bulkhead_hypervisor::stop::Stop;
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::umask;

fn main() -> ExitCode {
    match cli::parse(lexopt::Parser::from_env()) {
        Ok(Command::Run(options)) => run(options),
        Ok(Command::Probe) => {
            print(io::stdout(), &format!("kvm: {}\n", bulkhead_hypervisor::probe::probe()));
            ExitCode::SUCCESS
        }
        Ok(Command::ProbeJail) => probe_jail().unwrap_or_else(|error| failed(&error.into())),
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

/// Puts a process without a machine into a jail, and has it tell.
fn probe_jail() -> Result<ExitCode, JailError> {
    match jail::divide(Wanted::default(), Hearing::new()?)? {
        Side::Outside(outside) => outside.wait(&[])?.repeat(),
        Side::Inside(inside) => {
            let lacks: Vec<_> = inside.probe()?.iter().map(Lack::to_string).collect();
            let answer = match lacks.is_empty() {
                true => "complete".to_owned(),
                false => format!("incomplete: {}", lacks.join("; ")),
            };
            print(io::stdout(), &format!("jail: {answer}\n"));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn run(options: Options) -> ExitCode {
    let result = match start(&options) {
        Ok(Finished::Inside(status)) => return status,
        Ok(Finished::Outside(ended)) => Ok(ended),
        Err(error) => Err(error),
    };
    if let Some(folder) = &options.runtime_dir {
        remove(folder);
    }
    match result {
        Ok(ended) => ended.repeat(),
        Err(error) => failed(&error),
    }
}

/// Which process comes to its end here.
enum Finished {
    /// The VM's.
    Inside(ExitCode),
    /// The one that has waited for it.
    Outside(Ended),
}

/// Nothing but this thread is there until the machine runs.
fn start(options: &Options) -> Result<Finished, VmmError> {
    let config = Config::load(&options.config_file)?;
    let inherited = jail::close_inherited(&config.descriptors());
    let inherited = inherited.map_err(VmmError::system("close_range"))?;
    // Whatever is made here is nobody else's.
    umask(Mode::RWXG | Mode::RWXO);
    let folder = options.runtime_dir.as_deref().map(lock).transpose()?;
    let hearing = Hearing::new()?;
    let opened = Opened::open(&config, inherited)?;
    match jail::divide(options.jail, hearing)? {
        Side::Outside(outside) => {
            // Removed after the VM's end.
            let _name = opened.into_name();
            Ok(Finished::Outside(outside.wait(folder.as_slice())?))
        }
        Side::Inside(inside) => {
            drop(folder);
            let ended = run_in_jail(options, &config, opened, *inside);
            Ok(Finished::Inside(ended.unwrap_or_else(|error| failed(&error))))
        }
    }
}

/// The inner process.
fn run_in_jail(
    options: &Options,
    config: &Config,
    opened: Opened,
    mut inside: Inside,
) -> Result<ExitCode, VmmError> {
    inside.prepare(config)?;
    logging::start(&config.logger, options.id.clone())?;
    let machine = Machine::build(config, opened)?;
    let lacks = inside.lock(config, machine.longest_file())?;
    if options.jail.no_jail {
        log::warn!("--no-jail: whoever breaks out of the guest has all rights of this process");
    }
    for lack in lacks {
        log::warn!("the jail is incomplete: {lack}");
    }
    let end = machine.run(!options.jail.no_jail)?;
    report(&end, options.stats);
    Ok(match end.stop {
        Stop::Failure(reason) => {
            print_to_stderr(&reason);
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    })
}

fn failed(error: &VmmError) -> ExitCode {
    print_to_stderr(error);
    ExitCode::from(error.exit_status())
}

/// Locks the VM's folder. Who removes folders without a lock may have come before.
fn lock(folder: &Path) -> Result<OwnedFd, VmmError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let failed = |error: Errno| VmmError::file(folder)(error.into());
    let opened = rustix::fs::open(folder, flags, Mode::empty()).map_err(failed)?;
    rustix::fs::flock(&opened, FlockOperation::NonBlockingLockShared).map_err(failed)?;
    Ok(opened)
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
