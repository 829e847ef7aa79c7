//! What the end-to-end tests share. They know Bulkhead as a person does: by its programs, found on PATH, what these
//! print, and what they leave behind.
//!
//! - [`World`]: a test's own cache and folders, and the check that nothing is left in them;
//! - [`Running`], [`Outcome`]: a command under way, and what came of it; [`Terminal`]: one on a terminal;
//! - [`Images`]: small images in every form, made once for all tests;
//! - [`busybox_initramfs`]: guests with another first program;
//! - [`Elf`], [`Arm64Image`]: kernels that no machine can boot;
//! - [`alone`], [`alone_with_netavark`]: a host of a test's own, as far as networks go; [`Server`], [`fetched`], [`echoed`]:
//!   who is called in it, and what is heard;
//! - [`HERE`], [`ELSEWHERE`]: what differs between the two kinds of machine.

mod arm64_image;
mod elf;
pub mod elf32;
mod images;
mod initramfs;
mod layers;
mod leftovers;
mod machine;
mod network;
mod process;
mod server;
mod terminal;
mod tools;
mod user;
mod world;

pub use arm64_image::Arm64Image;
pub use elf::{Elf, Segment};
pub use images::{Images, busybox_folder};
pub use initramfs::busybox_initramfs;
pub use layers::{Layer, Meta};
pub use leftovers::eventually;
pub use machine::{ELSEWHERE, HERE, Machine};
pub use network::{NOT_LOOPBACK, alone, alone_with_netavark};
pub use process::{Outcome, Running, kill, signal, words};
pub use server::{FETCH, PATIENCE, Server, echoed, fetched, fetched_bytes};
pub use terminal::Terminal;
pub use tools::{have, is_root, tool};
pub use user::{PROGRAMS_OF_A_USER, USER};
pub use world::{JAILER, World};

/// What a test prints, besides its name, when a program that it needs is not there; `cargo xtask test` counts such lines.
pub fn skip(test: &str, reason: &str) {
    println!("SKIPPED: {test}: {reason}");
}
