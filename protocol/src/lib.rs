//! The messages between the host and the guest's init.
