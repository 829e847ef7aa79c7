//! The log: one line a message, to stderr or a file.

use std::fs::OpenOptions;
use std::io::Write;

use env_logger::{Builder, Target, WriteStyle};

use crate::config::Logger;
use crate::error::VmmError;

/// Starts the log. `id` names this VM in each line.
pub fn start(config: &Logger, id: String) -> Result<(), VmmError> {
    let mut builder = Builder::new();
    match &config.module {
        Some(module) => builder.filter_module(module, config.level),
        None => builder.filter_level(config.level),
    };
    let (show_level, show_origin) = (config.show_level, config.show_origin);
    builder.write_style(WriteStyle::Never).format(move |out, record| {
        write!(out, "{id}: ")?;
        if show_level {
            write!(out, "{}: ", record.level().as_str().to_ascii_lowercase())?;
        }
        if show_origin {
            let (file, line) = (record.file().unwrap_or("?"), record.line().unwrap_or(0));
            write!(out, "{file}:{line}: ")?;
        }
        writeln!(out, "{}", record.args())
    });
    if let Some(path) = &config.path {
        // A named pipe is opened as a file is; Firecracker takes both.
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(VmmError::file(path))?;
        builder.target(Target::Pipe(Box::new(file)));
    }
    // A second logger in one process can only be a test's, and the first one serves.
    let _ = builder.try_init();
    Ok(())
}
