//! `man`: a manual page for each command, from the definitions of the flags themselves.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use clap_mangen::Man;

use crate::arguments;
use crate::error::CommandError;

/// Write a manual page for each command
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bulkhead man ~/.local/share/man/man1 && man bulkhead-run")]
pub struct ManArguments {
    /// The folder for the pages; made if it is not there
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// Writes `bulkhead.1`, and `bulkhead-NAME.1` for each command.
pub fn execute(page: &ManArguments) -> Result<u8, CommandError> {
    let (mut all, folder) = (arguments::command(), &page.folder);
    let write = |command: clap::Command| {
        let man = Man::new(command);
        let path = folder.join(man.get_filename());
        let mut page = Vec::new();
        man.render(&mut page)
            .and_then(|()| fs::write(&path, page))
            .map_err(|source| CommandError::WriteFile { path, source })
    };
    fs::create_dir_all(folder)
        .map_err(|source| CommandError::WriteFile { path: folder.to_owned(), source })?;
    all.build();
    for command in all.get_subcommands().filter(|command| !command.is_hide_set()) {
        write(command.clone())?;
    }
    write(all)?;
    Ok(0)
}
