//! The thin layer that hands our tables and memory to KVM.

mod error;
mod irq;
mod run_page;
mod vm;

pub use error::KvmError;
pub use irq::{IrqLine, Notification};
pub use run_page::RunPage;
pub use vm::Vm;
pub(crate) use vm::{create_vcpu, create_vm, open};
