//! How a VM comes to its interfaces. Whoever makes a network, the VM gets a descriptor of it, and the guest its
//! addresses.
//!
//! | module | what it knows |
//! |---|---|
//! | [`netns`] | network namespaces of this machine, and how to be in one for a moment |
//! | `netlink` | a conversation with the kernel's network |
//! | [`namespace`] | a container's own namespace, and what becomes of it when its owner dies |
//! | [`attach`](mod@attach) | somebody else's namespace, of whose interfaces a VM gets those that it can have |

pub mod attach;
pub mod namespace;
mod netlink;
pub mod netns;
#[cfg(test)]
pub(crate) mod testing;
