//! PID 1 of the guest: from an empty initramfs to the container's processes, and to power-off.
//!
//! ```text
//!   modules     /modules/* are loaded: a stock kernel has its drivers there
//!   session     calls the host, says Hello                      (protocol's crate documentation has the talk)
//!   root        /dev/vda, the image, under an overlay
//!   session     Ready; Setup arrives
//!   network     interfaces, addresses, routes; the files in /etc that say of them
//!   session     Start arrives
//!   order       the program starts itself again, and tells that one what to become
//!   container   cgroup, namespaces, root, mounts, user, rights: the process, PID 1 of its own namespace
//!   pump        threads between its streams and the host
//!   children    reap it, and every orphan
//!   session     Exited; the host closes; power off
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | [`machine`] | the guest as PID 1 has it: boot, the container's processes, power-off |
//! | [`modules`] | kernel modules, for a kernel that has its drivers in files |
//! | [`host_facts`] | what only the host knows: time, randomness, the name |
//! | [`network`] | interfaces, addresses, routes, settings of the kernel's network |
//! | [`link`] | the way to the host: one vsock connection a stream |
//! | [`session`] | the guest's half of the conversation |
//! | [`pump`] | bytes from one descriptor to another, with back pressure |
//! | [`children`] | the children of PID 1, and who waits for which |
//! | [`order`] | what guest-init tells the program that it starts, and the answers |
//! | [`container`] | that program: namespaces, rights and seccomp filters, until it is the container's process |
//! | [`root`] | the container's root: the image under an overlay |
//! | [`names`] | `/etc/hostname`, `/etc/hosts` and `/etc/resolv.conf`, whatever the image holds |
//! | [`mounts`] | what else it finds mounted, and what is masked |
//! | [`cgroup`] | its limits, its counters, its freezer |
//! | [`users`], [`environment`], [`command`] | user, variables and file of a process |
//! | `rehearsal` | a guest without a machine, for tests |
//! | `error`, `log` | why there is no process; lines on the console |
//!
//! [`session`] knows no PID 1 and [`machine`] no protocol but its types: the first runs in a test over Unix sockets, and
//! the tables and parsers of the second are tested as plain functions.
//!
//! # Against docker
//! The process finds what it finds in docker's default container, PID 1 of its namespace under docker's seccomp profile,
//! with these differences, most of them because the wall around it is a virtual machine's:
//! - No user namespace: it would protect a kernel that nobody else uses. No network namespace: the VM's interfaces are
//!   the container's.
//! - When it ends, everything else in the container is killed, as in docker. What was written before is delivered; a
//!   background process that holds stdout open delays nothing.
//! - `/tmp` and `/run` are the image's own folders, in the overlay, and so refuse writes under `read_only`.

pub mod cgroup;
pub mod children;
pub mod command;
pub mod container;
pub mod environment;
mod error;
pub mod host_facts;
pub mod link;
mod log;
pub mod machine;
pub mod modules;
pub mod mounts;
pub mod names;
#[cfg(test)]
mod namespaces;
pub mod network;
pub mod order;
pub mod pump;
#[cfg(any(test, feature = "testing"))]
pub mod rehearsal;
pub mod root;
pub mod session;
pub mod users;

pub use error::StartError;
pub use log::log;
