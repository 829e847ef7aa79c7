//! Containers, each in a VM of its own. This crate knows no image formats, no registries and no flags.
//!
//! A [`plan`] says what runs in what machine. `guest` finds what that machine boots, [`vm`] starts it, a
//! [`conversation`] with its guest-init starts the process in it. A [`container`] is a plan with a name and a state, in
//! files; its [`supervisor`] is the process that lives as long as it does.
//!
//! ```text
//! supervisor ──▶ vm ──▶ bulkhead-vmm
//!     │           └──▶ conversation ──vsock──▶ guest-init
//!     └──▶ container: config, state, log, lock
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | [`plan`] | all that is needed to run a container, in one JSON file: the VM's half and the container's |
//! | `guest` | what a guest boots: kernel, initramfs, command line, and its memory (with the feature of this name) |
//! | `limits` | what one guest may cost its supervisor |
//! | [`vm`] | one VM: its process, its folder, its scratch disk, its console |
//! | `connection` | messages with descriptors, between processes of this host |
//! | [`conversation`] | the host's half of the conversation with guest-init |
//! | [`network`] | what connects a container with others, and the programs behind it |
//! | [`container`] | containers as files: what each is, where it is in its life, what it has said |
//! | [`network_names`] | networks that have names: what each is, who is on it, and how netavark makes it |
//! | [`supervisor`] | the process that has a container's VM, and what others ask of it |

mod connection;
pub mod container;
pub mod conversation;
#[cfg(feature = "guest")]
pub mod guest;
mod limits;
pub mod network;
pub mod network_names;
pub mod plan;
pub mod supervisor;
pub mod vm;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
