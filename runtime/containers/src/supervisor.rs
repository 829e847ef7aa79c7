//! A container's supervisor: the process that has its VM, writes its log and its state, and answers whoever wants
//! something of it.
//!
//! ```text
//!   bulkhead run        is the supervisor itself, as long as the container lives
//!   bulkhead run -d  ─┬─▶ bulkhead supervise ID ──▶ bulkhead-vmm
//!   bulkhead start   ─┘      ▲ control: a Unix socket that goes with the process
//!   bulkhead exec, stop, attach, stats, cp … ─┘ one request each, with pipes for what flows
//! ```
//!
//! It holds the container's lock. When it is killed, the kernel gives the lock back and ends the VM, and the next command
//! finds the container ended.

mod client;
mod copy_vm;
mod descriptors;
mod detach;
mod detach_keys;
mod disk;
mod error;
mod folders;
mod input;
mod interfaces;
mod life;
mod lifecycle;
mod message;
mod output;
mod phase;
mod serve;
mod socket;

pub use client::{Client, End};
pub use copy_vm::CopyVm;
pub use detach::{COMMAND, start, supervise};
pub use disk::KEPT;
pub use error::SupervisorError;
pub use folders::Folders;
pub use interfaces::interfaces;
pub use life::{Foreground, Supervisor};
pub use message::{Reply, Request};
