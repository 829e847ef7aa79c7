//! The command line of `bulkhead-vmm`.

use std::path::PathBuf;

use lexopt::prelude::*;

use crate::jail::Wanted;

/// What `--help` prints.
pub const HELP: &str = "\
Runs one virtual machine: one process, one VM.

Usage: bulkhead-vmm --config-file FILE [OPTIONS]

Options:
      --config-file FILE  the VM, in Firecracker's JSON schema and ours (hypervisor/CONFIG.md)
      --no-api            accepted for Firecracker's sake: this program has no API socket
      --id ID             a name for log lines: letters, digits and '-', at most 64
      --runtime-dir DIR   the VM's private folder: locked (flock, shared) as long as the VM
                          lives, and removed when it has ended
      --uid UID           as root: run the VM as the user and group of this number, in no other
                          group. What the configuration names is opened before, as root; what
                          the guest connects to must let this user in
      --no-jail           for debugging only: without namespaces, empty root folder, limits,
                          Landlock and filters, with all rights of whoever starts it
      --stats             at the end, one line on stderr: VM exits by kind, bytes loaded
      --probe             say on one line whether this machine's KVM can run Linux, and end
      --probe-jail        say on one line what a VM's jail would lack on this host, and end
  -h, --help              this text
  -V, --version           the version

The guest's serial port is stdin and stdout. The VM runs in a jail, as root or not; the process
that was started waits outside of it, passes SIGTERM and SIGINT on, lets the VM stand still from
SIGTSTP to SIGCONT, and ends as it does. Exit status: 0 when the guest switched itself off or
asked for a reset, or SIGTERM or SIGINT came; 1 for an error; 2 for wrong usage or configuration.

Examples:
  bulkhead-vmm --config-file vm.json
  bulkhead-vmm --no-api --config-file vm.json --id web-1 --stats </dev/null
  bulkhead-vmm --probe
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Run a VM.
    Run(Options),
    /// Say what KVM can do.
    Probe,
    /// Say what the jail would lack.
    ProbeJail,
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
}

/// How to run a VM.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// The configuration file.
    pub config_file: PathBuf,
    /// The name for log lines.
    pub id: String,
    /// The folder to lock, and to remove at the end.
    pub runtime_dir: Option<PathBuf>,
    /// The jail.
    pub jail: Wanted,
    /// Whether to print figures at the end.
    pub stats: bool,
}

/// A command line that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0} (try --help)")]
pub struct UsageError(String);

/// Reads the command line.
pub fn parse(mut parser: lexopt::Parser) -> Result<Command, UsageError> {
    let lexical = |error: lexopt::Error| UsageError(error.to_string());
    let mut config_file = None;
    let mut id = None;
    let mut runtime_dir = None;
    let mut stats = false;
    let mut jail = Wanted::default();
    let mut probe = false;
    while let Some(argument) = parser.next().map_err(lexical)? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Long("probe") => probe = true,
            Long("probe-jail") => return Ok(Command::ProbeJail),
            Long("no-api") => {}
            Long("stats") => stats = true,
            Long("config-file") => config_file = Some(parser.value().map_err(lexical)?.into()),
            Long("runtime-dir") => runtime_dir = Some(parser.value().map_err(lexical)?.into()),
            Long("no-jail") => jail.no_jail = true,
            Long("uid") => {
                jail.uid = Some(user(parser.value().and_then(|v| v.string()).map_err(lexical)?)?)
            }
            Long("id") => {
                id = Some(instance_id(parser.value().and_then(|v| v.string()).map_err(lexical)?)?)
            }
            other => return Err(lexical(other.unexpected())),
        }
    }
    if probe {
        return Ok(Command::Probe);
    }
    let Some(config_file) = config_file else {
        return Err(UsageError("missing option --config-file FILE".to_owned()));
    };
    let id = id.unwrap_or_else(|| "bulkhead-vmm".to_owned());
    Ok(Command::Run(Options { config_file, id, runtime_dir, jail, stats }))
}

/// `u32::MAX` means "no change" to the system (setresuid(2)).
fn user(text: String) -> Result<u32, UsageError> {
    let number = text.parse().ok().filter(|number| *number != u32::MAX);
    let wrong =
        || UsageError(format!("--uid {text:?}: expected a number from 0 to {}", u32::MAX - 1));
    number.ok_or_else(wrong)
}

/// The rule is Firecracker's (`validate_instance_id`).
fn instance_id(id: String) -> Result<String, UsageError> {
    let valid = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    match (1..=64).contains(&id.len()) && valid {
        true => Ok(id),
        false => Err(UsageError(format!("--id {id:?}: expected 1 to 64 letters, digits and '-'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Command, String> {
        super::parse(lexopt::Parser::from_args(arguments)).map_err(|error| error.to_string())
    }

    #[test]
    fn firecrackers_command_line_starts_a_vm() {
        let command = parse(&["--no-api", "--config-file", "vm.json", "--id", "web-1"]);
        let options = Options {
            config_file: "vm.json".into(),
            id: "web-1".to_owned(),
            runtime_dir: None,
            jail: Wanted::default(),
            stats: false,
        };
        assert_eq!(command, Ok(Command::Run(options)));
        let command = parse(&["--config-file", "a", "--no-jail", "--uid", "100000"]);
        let Ok(Command::Run(options)) = command else { panic!("{command:?}") };
        assert_eq!(options.jail, Wanted { no_jail: true, uid: Some(100_000) });
    }

    #[test]
    fn wrong_usage_is_one_line() {
        for (arguments, part) in [
            (&[][..], "missing option --config-file"),
            (&["--frobnicate"], "--frobnicate"),
            (&["--config-file"], "--config-file"),
            (&["--config-file", "a", "b"], "\"b\""),
            (&["--config-file", "a", "--id", "a b"], "expected 1 to 64"),
            (&["--uid", "root"], "expected a number"),
            (&["--uid", "4294967295"], "expected a number from 0 to 4294967294"),
        ] {
            let text = parse(arguments).unwrap_err();
            assert!(text.contains(part) && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn questions_need_no_configuration() {
        assert_eq!(parse(&["--probe"]), Ok(Command::Probe));
        assert_eq!(parse(&["--probe-jail"]), Ok(Command::ProbeJail));
        assert_eq!(parse(&["-h"]), Ok(Command::Help));
        assert_eq!(parse(&["--version"]), Ok(Command::Version));
    }
}
