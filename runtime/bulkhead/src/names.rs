//! Doing the same to several containers.

use clap::Args;

use crate::error::CommandError;
use crate::output::print;

#[derive(Debug, Args)]
pub struct Names {
    /// Names or IDs
    #[arg(value_name = "CONTAINER", required = true)]
    pub containers: Vec<String>,
}

/// Does the same to each, prints the names of those to whom it was done, and complains about the others.
pub fn each(
    names: &Names,
    act: impl Fn(&String) -> Result<(), CommandError>,
) -> Result<u8, CommandError> {
    let mut status = 0;
    for name in &names.containers {
        match act(name) {
            Ok(()) => print(&format!("{name}\n"))?,
            Err(error) => {
                status = error.exit_status();
                eprintln!("bulkhead: {name}: {}", error.line());
            }
        }
    }
    Ok(status)
}
