//! PID 1 of the guest: from an empty initramfs to the container's process, and to power-off.
//!
//! ```text
//!   modules    /modules/* are loaded: a stock kernel has its drivers there
//!   session    calls the host, says Hello                       (protocol's crate documentation has the talk)
//!   root       /dev/vda, the image, under an overlay; the overlay becomes /
//!   mounts     proc, sys, dev …, as runc's default configuration has them
//!   session    Ready; Start arrives
//!   host_facts host name, clock, randomness
//!   users, environment, command, capabilities, spawn: the process
//!   pump       three threads between its pipes and the host
//!   reaper     waits for it, ends what it left behind
//!   session    Exited; the host closes; power off
//! ```
//!
//! [`session`] knows no PID 1 and [`machine`] no protocol: the first runs in a test over Unix sockets, and the
//! tables and parsers of the second are tested as plain functions.
//!
//! # Against docker
//! The process finds what it finds in docker's default container, with these differences, all of them because the
//! wall around it is a virtual machine's:
//! - It is not PID 1: guest-init is, and reaps orphans. A signal without a handler therefore ends it.
//! - When it ends, everything else in the guest is killed, as when PID 1 of a PID namespace ends. So its output ends
//!   too: a background process that holds stdout open delays nothing, and what was written before is delivered.
//! - No seccomp filter, no devices cgroup, no user namespace: they'd protect a kernel that nobody else uses.
//! - `/etc/hosts` is written (to the overlay) only where the image has none or an empty one; `/etc/hostname` and
//!   `/etc/resolv.conf` are the image's own.
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
pub mod order;
pub mod pump;
#[cfg(any(test, feature = "testing"))]
pub mod rehearsal;
pub mod root;
pub mod session;
pub mod users;

pub use error::StartError;
pub use log::log;
