//! Containers as files: what each is, and where it is in its life.
//!
//! ```text
//!   $XDG_DATA_HOME/bulkhead/containers/
//!     .lock                 held while a container is made, renamed, removed or taken
//!     .new-…, .old-…        one that is being made, or removed; who finds it later removes it
//!     ID/config.json        what it is; only its name and its networks ever change
//!     ID/state.json         where it is in its life
//!     ID/interfaces.json    what its network interfaces did, when it has ended
//!     ID/lock               held by its supervisor, as long as that lives
//!     ID/scratch.ext4       what it has written
//!     ID/log.json[.1 …]     what it has said
//!     ID/supervisor.log[.1 …]  what its supervisor in the background has said, as much as of its log
//! ```
//!
//! Files are replaced whole, and folders come and go by one rename. A state that says "running" while nobody holds the lock
//! is that of a supervisor that was killed, or of a machine that was switched off: the container has ended.

mod config;
mod error;
mod id;
pub(crate) mod json;
mod lock;
pub mod log;
mod name;
mod record;
mod state;
mod store;

use std::time::{SystemTime, UNIX_EPOCH};

pub use config::{Config, ImageName, LogOptions, RestartPolicy};
pub use error::ContainerError;
pub use id::Id;
pub(crate) use lock::Lock;
use name::{check_name, invent_name};
pub use record::{Container, Tenure};
pub use state::{State, Status};
pub use store::Containers;

/// This moment, in nanoseconds since 1970-01-01 00:00 UTC.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod tests;
