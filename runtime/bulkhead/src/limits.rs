//! How much an image, or what a container sends, may be.

use crate::error::CommandError;
use crate::size::parse_size;
use images::layer::Limits;

/// The most bytes that a container may send to `cp`: as much as a layer may hold.
pub const COPY_SIZE: &str = "32G";

/// The most files, folders and links that it may send: as many as a layer may hold.
pub const COPY_FILES: u64 = images::limits::LAYER_ENTRIES;

/// The limits that the environment sets.
pub fn limits(variable: impl Fn(&str) -> Option<String>) -> Result<Limits, CommandError> {
    let mut limits = Limits::default();
    let usage = |name: &str, problem: String| CommandError::Usage(format!("{name}: {problem}"));
    if let Some(text) = variable("BULKHEAD_MAX_LAYER_SIZE") {
        limits.size =
            parse_size(&text).map_err(|problem| usage("BULKHEAD_MAX_LAYER_SIZE", problem))?;
    }
    if let Some(text) = variable("BULKHEAD_MAX_LAYER_ENTRIES") {
        let problem = || format!("'{}' is not a number", text.escape_debug());
        limits.entries =
            text.parse().map_err(|_| usage("BULKHEAD_MAX_LAYER_ENTRIES", problem()))?;
    }
    Ok(limits)
}
