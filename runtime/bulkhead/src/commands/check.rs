//! `check`: each thing that a container needs, where it is, and how to get it.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::CommandError;
use crate::output::{print, table};
use containers::guest;
use containers::vm::mke2fs;
use host::cache::Cache;
use host::jail::Jail;
use host::kvm::Kvm;
use host::platform::Platform;
use host::program;
use host::text::in_one_line;

/// The way on where KVM can't run Linux.
const EMULATED: &str = "in a clone of Bulkhead, `cargo xtask host` is a machine whose KVM can";

/// A line of the table.
struct Row {
    need: &'static str,
    found: String,
    /// Empty when nothing has to be done.
    remedy: String,
    /// Nothing runs without it.
    required: bool,
}

impl Row {
    fn new(need: &'static str, found: Result<String, String>) -> Row {
        match found {
            Ok(found) => Row { need, found, remedy: String::new(), required: true },
            Err(remedy) => Row { need, found: "missing".to_owned(), remedy, required: true },
        }
    }
}

/// Say what this machine has for containers, and how to get what it lacks
#[derive(Debug, Args)]
#[command(
    after_help = "The exit status is 1 where containers can't run.\n\nExample:\n  bulkhead check"
)]
pub struct CheckArguments {}

/// Prints the table. The status is 1 where `run` would fail.
pub fn execute(_: &CheckArguments) -> Result<u8, CommandError> {
    let platform = Platform::NATIVE;
    let vmm = program::find("bulkhead-vmm");
    let kernel = Cache::open_default()
        .map_err(CommandError::from)
        .and_then(|cache| Ok(guest::kernel(&cache, platform, None, None)?));
    let rows = [
        kvm(vmm.as_deref().ok()),
        jail(vmm.as_deref().ok()),
        Row::new("bulkhead-vmm", shown(vmm)),
        Row::new("guest-init", shown(program::guest_init(platform))),
        Row::new("guest kernel", shown(kernel.map(|kernel| kernel.image))),
        Row { required: false, ..Row::new("mke2fs", shown(mke2fs())) },
    ];
    let mut lines = vec![["NEED", "FOUND", ""].map(str::to_owned).to_vec()];
    for row in &rows {
        lines.push(vec![row.need.to_owned(), row.found.clone(), row.remedy.clone()]);
    }
    print(&table(&lines))?;
    Ok(u8::from(rows.iter().any(|row| row.required && !row.remedy.is_empty())))
}

fn kvm(vmm: Option<&Path>) -> Row {
    let (found, remedy) = match vmm.map(Kvm::probe) {
        Some(Ok(Kvm::Linux)) => ("runs Linux".to_owned(), ""),
        Some(Ok(Kvm::Slow(why))) => (format!("slow: {why}"), EMULATED),
        Some(Ok(Kvm::Bare(why))) => (format!("can't run Linux: {why}"), EMULATED),
        Some(Ok(Kvm::None(why))) => (format!("none: {why}"), EMULATED),
        Some(Err(error)) => (format!("unknown: {}", in_one_line(&error)), EMULATED),
        None => ("unknown".to_owned(), "bulkhead-vmm finds out"),
    };
    Row { need: "KVM", found, remedy: remedy.to_owned(), required: true }
}

/// A VM runs without it too, but is not as well kept from its host.
fn jail(vmm: Option<&Path>) -> Row {
    let (found, remedy) = match vmm.map(Jail::probe) {
        Some(Ok(Jail::Complete)) => ("complete".to_owned(), String::new()),
        Some(Ok(Jail::Incomplete { lack, remedy })) => (lack, remedy),
        Some(Err(error)) => (format!("unknown: {}", in_one_line(&error)), String::new()),
        None => ("unknown".to_owned(), "bulkhead-vmm finds out".to_owned()),
    };
    Row { need: "jail", found, remedy, required: false }
}

/// Where it is, or what is wrong.
fn shown<E: Error + 'static>(found: Result<PathBuf, E>) -> Result<String, String> {
    found.map(|path| path.display().to_string()).map_err(|error| in_one_line(&error))
}
