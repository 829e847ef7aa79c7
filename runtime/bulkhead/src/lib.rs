//! The `bulkhead` command.
//!
//! [`parse`] reads the command line, [`execute`] does what it says. What belongs to one command alone, its flags, its help
//! and what it does, is in the file of its name in `commands`. The rest is what several commands share:
//!
//! | module | what it knows |
//! |---|---|
//! | `arguments` | the command line as a whole, and how a mistake in it is put |
//! | `commands` | each command, in a file of its name |
//! | `flags` | the image and the flags of `run`, `create` and `prepare` |
//! | `capabilities`, `security`, `size`, `tmpfs`, `ulimit`, `variables` | what a flag's text means |
//! | `network`, `publish` | the flags about a container's network |
//! | `ports` | published ports, as docker shows them |
//! | `egress` | what a container may reach, and what it could not |
//! | `timeouts` | how long a container may take to end |
//! | `id_file` | `--cidfile` |
//! | `label` | which labels a filter asks for |
//! | `life` | the flags about a container's life |
//! | `platforms` | the names of platforms |
//! | `switches` | flags that are on or off |
//! | `refused` | docker's flags that have no meaning here, and why |
//! | `find` | which image a person means |
//! | `limits` | what one layer may unpack to |
//! | `process` | the process: what the image says, and what the flags say instead |
//! | `prepare` | from flags to a plan, which can be run |
//! | `foreground` | a container that has this process's streams |
//! | `network_flag` | `--network` of a network that has a name |
//! | `names` | the same, done to several containers |
//! | `output`, `template` | tables, and `--format` |
//! | `error` | what went wrong, in one line, and the exit status |

mod arguments;
mod capabilities;
mod commands;
mod egress;
mod error;
mod find;
mod flags;
mod foreground;
mod id_file;
mod label;
mod life;
mod limits;
mod names;
mod network;
mod network_flag;
mod output;
mod platforms;
mod ports;
mod prepare;
mod process;
mod publish;
mod refused;
mod security;
mod size;
mod switches;
mod template;
#[cfg(test)]
mod tests;
mod timeouts;
mod tmpfs;
mod uid_base;
mod ulimit;
mod variables;

pub use arguments::{Arguments, explain, parse};
pub use commands::execute;
pub use error::CommandError;
pub use flags::Flags;
pub use prepare::{Prepared, prepare};
