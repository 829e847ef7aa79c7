//! Doing the same to several things. As in docker, one that fails keeps none of the others from it.

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
    each_says(&names.containers, |name| act(name).map(|()| format!("{name}\n")), |_| false)
}

/// Likewise, and prints what is said of each. A complaint that `is_harmless` is no failure.
pub fn each_says(
    names: &[String],
    act: impl Fn(&String) -> Result<String, CommandError>,
    is_harmless: impl Fn(&CommandError) -> bool,
) -> Result<u8, CommandError> {
    let mut status = 0;
    for name in names {
        match act(name) {
            Ok(said) => print(&said)?,
            Err(error) => {
                complain(name, &error);
                if !is_harmless(&error) {
                    status = FAILED;
                }
            }
        }
    }
    Ok(status)
}

/// The exit status where one of several failed, whatever it failed of.
pub const FAILED: u8 = 1;

/// Says what is wrong with one of several.
pub fn complain(name: &str, error: &CommandError) {
    eprintln!("bulkhead: {}: {}", name.escape_debug(), error.line());
}
