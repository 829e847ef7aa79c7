//! What the commands of xtask need from the machine: whether it is there, and the way to get it.

mod apt;
mod install;
mod packages;
mod program;
mod rust;

pub use packages::{Packages, archives};
pub use program::{
    BUSYBOX, CXX, DPKG_DEB, PASST, Program, STRACE, TESTS, VIRTIOFSD, all, cross_linker, emulator,
    kernel, provide,
};
pub use rust::{add_target, has_target};
