//! What a guest may reach: egress rules, how people write them, a VM's policy, and what the VM tells of them.
//!
//! The `bulkhead` command reads rules and complains about them, and the network device's filter (`devices::egress`)
//! enforces them. Neither may know the other, so that what both know is here: words without any effect.
//!
//! | a rule | what it lets through |
//! |---|---|
//! | `10.0.0.0/8`, `10.0.0.7`, `fd00::/8`, `fd00::7` | TCP, UDP and ping to these addresses |
//! | `10.0.0.0/8:443`, `[fd00::]/8:443`, `10.0.0.7:8000-8099/tcp`, `[fd00::7]:123/udp` | these ports only; without `/tcp` or `/udp` of both protocols |
//! | `10.0.0.0/8/tcp` | every port of one protocol |
//! | `example.org`, `example.org:443`, `example.org:443/tcp` | questions for this name, and the addresses in their answers |
//! | `*.example.org:443` | the same for every name below `example.org`, not for `example.org` itself |
//! | `dns` | questions for any name; their answers let nothing more through |
//!
//! No rule opens port 53: it is there for the configured resolvers alone, and the filter reads what goes to it.

mod domain;
mod floor;
mod policy;
mod report;
mod rule;
#[cfg(test)]
mod tests;

pub use domain::Domain;
pub use floor::{is_link_local, is_unroutable};
pub use policy::{MAX_ADDRESSES, MAX_RESOLVERS, MAX_RULES, Policy, PolicyError};
pub use report::{
    Counters, Destination, InterfaceReport, PAGE_HEADER, PAGE_SIZE, REPORTED, Reason, RefusedName,
    Report, Traffic,
};
pub use rule::{DNS_PORT, Network, Protocol, Rule, RuleError, Service};
