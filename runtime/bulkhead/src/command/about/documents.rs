//! Completions and manual pages, from the definitions of the flags themselves.

use std::fs;
use std::path::Path;

use clap_complete::Shell;
use clap_mangen::Man;

use crate::command::error::CommandError;
use crate::command::output::print;

/// Prints what the shell reads.
pub fn completions(all: &clap::Command, shell: Shell) -> Result<u8, CommandError> {
    // clap_complete would show what is hidden.
    let visible = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut visible = clap::Command::new("bulkhead").version("").subcommands(visible);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut visible, "bulkhead", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}

/// Writes `bulkhead.1`, and `bulkhead-NAME.1` for each command.
pub fn man(mut all: clap::Command, folder: &Path) -> Result<u8, CommandError> {
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
