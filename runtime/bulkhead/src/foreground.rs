//! A container that has this process's streams.

use crate::error::CommandError;
use containers::container::{Container, Containers};
use containers::conversation::{Signals, Stdio};
use containers::network_names::Networks;
use containers::supervisor::{Folders, Foreground, Supervisor, SupervisorError};
use containers::vm::VmError;
use host::cache;
use host::terminal::{self, Raw};

/// Where this user's containers find what they need.
pub fn folders() -> Result<Folders, CommandError> {
    Ok(Folders {
        containers: Containers::open_default()?,
        cache: cache::folder().ok(),
        networks: Networks::default_folder(),
    })
}

/// Runs it as long as it lives, with this process's streams; its exit status.
pub fn in_foreground(container: Container, own_input: bool) -> Result<u8, CommandError> {
    let typed = own_input && container.config().terminal && terminal::is_typed_in();
    let size = terminal::size();
    let supervisor = Supervisor::new(container, folders()?)?;
    // From here on a signal is the container's, not ours.
    let signals = Signals::catch().map_err(VmError::Signals)?;
    let mut stdio = Stdio::inherit().map_err(VmError::Stdio)?;
    if !own_input {
        stdio.stdin = None;
    }
    let raw = typed.then(Raw::enter).transpose().map_err(SupervisorError::Terminal)?;
    let exit = supervisor.run(Some(Foreground { stdio, size, signals }), || ());
    drop(raw);
    let exit = exit?;
    if exit.out_of_memory {
        eprintln!(
            "bulkhead: the container ran out of memory, and a process of it was killed: -m gives it more"
        );
    }
    Ok(exit.status.exit_code())
}
