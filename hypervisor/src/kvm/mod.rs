//! The thin layer that hands our tables and memory to KVM.

mod error;
mod irq;
mod run_page;
mod vm;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use error::KvmError;
pub use irq::{IrqLine, Notification};
pub use run_page::RunPage;
pub use vm::Vm;
