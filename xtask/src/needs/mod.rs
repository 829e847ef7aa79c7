//! What the commands of xtask need from the machine: whether it is there, and the way to get it.

mod apt;
mod program;
mod rust;

pub use apt::{download, first_offered, is_offered, may_install, refresh};
pub use program::{BUSYBOX, DPKG_DEB, HOST, Program, QEMU, STRACE, VIRTIOFSD, all, provide};
pub use rust::{add_target, has_target};
