//! Where a user's files are (XDG Base Directory Specification).

use std::path::PathBuf;

/// What we call our folders.
const OURS: &str = "bulkhead";

/// Our folder below `variable`, else below `fallback` in the home folder; `None` when neither is an absolute path.
pub fn folder(variable: &str, fallback: &str) -> Option<PathBuf> {
    let absolute =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute(variable).or_else(|| absolute("HOME").map(|home| home.join(fallback)));
    base.map(|base| base.join(OURS))
}
