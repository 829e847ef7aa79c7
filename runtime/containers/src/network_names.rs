//! Networks that have names, on which containers find each other: what `bulkhead network create` makes.
//!
//! A [`Network`] is a file: its subnets, its bridge, and who has which of its addresses. A container's [`Attachment`]s are in
//! the container's configuration.
//!
//! | module | what it knows |
//! |---|---|
//! | `subnet`, `name` | what a subnet and a network's name are |
//! | `definition`, `choose` | what a network is, and how it comes to be different from all others and from the host's |
//! | `host` | what interfaces and routes the host has |
//! | `lease` | which container has which address |
//! | `attachment` | a container's place on a network |
//! | `store`, `members` | networks as files, and which containers are on them |
//! | `netavark`, `namespace` | the program that makes them, and where |
//! | `join`, `sweep` | being on networks, and what is left of who was |
//! | `firewall` | what the firewall has of netavark's |
//! | `connect` | the interfaces of a VM |
//! | `home` | the namespaces in which an ordinary user's networks are |
//! | `helper` | a container's process in there |
//! | `forward` | its published ports, from the host to there |
//! | `error` | what goes wrong |

mod attachment;
mod choose;
mod connect;
mod definition;
mod error;
mod firewall;
mod forward;
mod helper;
mod home;
mod host;
mod join;
mod lease;
mod members;
mod name;
mod netavark;
mod store;
mod subnet;
mod sweep;

pub(crate) use attachment::check_all;
pub use attachment::{Attachment, Identity, Wish, check_alias, parse_mac};
pub use choose::NewNetwork;
pub(crate) use connect::connect;
pub use connect::{check, sweep_dead};
pub use definition::{Network, Range};
pub use error::NetworkError;
pub use helper::{HELPER, join_networks};
pub use home::{HOME, HomeError, hold};
pub use host::HostNetwork;
pub use lease::{Lease, LeaseError, Leases};
pub use members::{Kept, users};
pub use name::check_name;
pub use netavark::NetavarkError;
pub use store::Networks;
pub use subnet::Subnet;
